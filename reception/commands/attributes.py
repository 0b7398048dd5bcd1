"""``./run attributes``: the nightly look for changed names and addresses, and the worklist in short."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import cast

from reception.commands.arguments import AddCommand, refuse

PATIENCE_S = 3600.0
"""A list of thousands of customers takes the operator its time; nobody waits at the screen."""


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
    from consent.attributes.client import OperatorClient
    from consent.attributes.ledger import Ledger, LedgerError
    from consent.attributes.nightly import NightlyJob, Settings
    from consent.attributes.wire import Method
    from consent.attributes.worklist import Worklist, WorklistError
    from consent.eligibility import EligibilityError
    from consent.enrolment.terminal_key import enrol_terminal
    from consent.wire import japan_now
    from reception.terminal.attributes import ledger_of, operator_settings

    settings = config.load(options.config)
    if not settings.receipt.folder:
        return refuse("attributes: [receipt] folder is not set; the worklist lies in it")
    chosen, site = settings.attributes, settings.site
    identity = enrol_terminal(options.state, site.terminal_id)
    patient = replace(settings.server, read_timeout_s=PATIENCE_S, budget_s=PATIENCE_S)
    operator = OperatorClient(operator_settings(settings, patient), identity, site)
    worklist = Worklist(Path(settings.receipt.folder), settings.receipt.encoding)
    method = cast(Method, options.method or chosen.method)
    how = Settings(method, chosen.link_serials, chosen.yen_per_case)
    try:
        ledger = Ledger(ledger_of(settings, options.state))
        try:
            report = NightlyJob(ledger, operator, worklist, how, japan_now).run()
        finally:
            ledger.close()
        waiting = len(worklist.cases())
    except (EligibilityError, LedgerError, WorklistError) as error:
        return refuse(f"attributes: {error}; run it again, nobody is asked twice")
    finally:
        operator.close()
    print("\n".join(report.lines()))
    print(f"worklist: {waiting} changes wait at the counter")
    return 0
