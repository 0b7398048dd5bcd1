"""Checks an installation part by part: what works, what does not, and what to do about it.

Every check runs in a thread of its own with a time limit, so that a device that hangs is one line of the answer.
Nothing is changed, except that a missing state folder is made. A terminal that runs meanwhile is not disturbed; a
camera that it is using shows as busy.
"""

from collections.abc import Iterator
from pathlib import Path

from config import Config
from consent.wire import japan_now
from reception.doctor.desk import look_at_broker, look_at_counter_page
from reception.doctor.devices import (
    look_at_camera,
    look_at_card_authorities,
    look_at_face_engine,
    look_at_fonts,
    look_at_phone_reader,
    look_at_reader,
    look_at_reader_service,
    look_at_sound,
)
from reception.doctor.findings import Check, Finding, Grade, as_json, run
from reception.doctor.folders import look_at_journal, look_at_receipt_folder, look_at_state_folder
from reception.doctor.network import look_at_certificates, look_at_clock, look_at_server, look_at_terminal_key
from reception.doctor.waits import look_at_waits

__all__ = ["Check", "Finding", "Grade", "as_json", "checks", "examine_all", "run"]


def examine_all(config: Config, state: Path) -> Iterator[Finding]:
    """Look at every part at the same time, and yield what was found in the order of the list."""
    yield from run(checks(config, state))


def checks(config: Config, state: Path) -> list[Check]:
    """Return the checks that this configuration needs."""
    found = [
        Check("reader service", look_at_reader_service),
        Check("card reader", lambda: look_at_reader(config.reader.name, config.phone_reader.name)),
    ]
    if config.phone_reader.name:
        found.append(Check("phone reader", lambda: look_at_phone_reader(config)))
    return [
        *found,
        Check("card authorities", lambda: look_at_card_authorities(config, japan_now().date())),
        Check("camera", lambda: look_at_camera(config)),
        Check("fonts", look_at_fonts),
        Check("sound", lambda: look_at_sound(config)),
        Check("face engine", lambda: look_at_face_engine(config.face), 40.0),
        Check("eligibility server", lambda: look_at_server(config, state)),
        Check("terminal key", lambda: look_at_terminal_key(config, state)),
        Check("certificates", lambda: look_at_certificates(state)),
        Check("state folder", lambda: look_at_state_folder(state)),
        Check("receipt folder", lambda: look_at_receipt_folder(config)),
        Check("journal", lambda: look_at_journal(config, state)),
        Check("waits", lambda: look_at_waits(config.delays)),
        Check("counter page", lambda: look_at_counter_page(config, state)),
        Check("broker", lambda: look_at_broker(config)),
        Check("clock", lambda: look_at_clock(config, state)),
    ]
