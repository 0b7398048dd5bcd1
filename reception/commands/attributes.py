"""``./run attributes``: the nightly look for changed names and addresses, and the worklist in short."""

import argparse
from pathlib import Path
from typing import cast

from reception.commands.arguments import AddCommand, refuse


def add(command: AddCommand) -> None:
    """Add the command."""
    parser = command("attributes", _attributes, "the nightly look for changed attributes (最新4情報)")
    parser.add_argument("--config", type=Path, help="settings (default: the shipped terminal.toml)")
    parser.add_argument(
        "--method",
        choices=("crl", "ocsp"),
        help="daily list, or certificate by certificate (default: the setting)",
    )


def _attributes(options: argparse.Namespace) -> int:
    import config
    from consent.attributes.ledger import LedgerError
    from consent.attributes.wire import Method
    from consent.attributes.worklist import WorklistError
    from consent.eligibility import EligibilityError
    from consent.enrolment.terminal_key import enrol_terminal
    from consent.wire import japan_now
    from reception.terminal.attributes import ledger_of
    from reception.terminal.nightly import run_job

    settings = config.load(options.config)
    if not settings.receipt.folder:
        return refuse("attributes: [receipt] folder is not set; the worklist lies in it")
    identity = enrol_terminal(options.state, settings.site.terminal_id)
    method = cast(Method | None, options.method)
    try:
        report, waiting = run_job(
            settings, ledger_of(settings, options.state), settings.server, identity, japan_now, method=method
        )
    except (EligibilityError, LedgerError, WorklistError) as error:
        return refuse(f"attributes: {error}; run it again, nobody is asked twice")
    print("\n".join(report.lines()))
    print(f"worklist: {waiting} changes wait at the counter")
    return 0
