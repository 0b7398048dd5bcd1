"""Check of the delays: whoever is slow is warned in time."""

from config import Delays
from reception.doctor.findings import warn

TIME_TO_REACT_S = 20.0
"""WCAG 2.2, criterion 2.2.1: who is warned that time runs out has at least so long to ask for more."""
_ANSWERS = ("choice_s", "pin_s", "phone_s", "question_s")


def look_at_waits(delays: Delays) -> str:
    """Return how long before its end a wait for an answer warns; raises Wrong where that is too short."""
    short = [name for name in ("warning_s", *_ANSWERS) if getattr(delays, name) < TIME_TO_REACT_S]
    if short:
        raise warn(
            f"[delays] {', '.join(short)}: below {TIME_TO_REACT_S:g} s, too short for slow hands",
            "Set it higher: a patient should have that long to react after the warning.",
            "お知らせから終了までの時間が短すぎます。設定を確認してください",
        )
    return f"a wait for an answer warns {delays.warning_s:g} s before its end"
