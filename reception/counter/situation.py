"""What a terminal does, in words for staff, and whether it needs a hand; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reception.counter import wording
from reception.counter.english import Words
from reception.counter.hub import Desk
from reception.flow import REVOCABLE, State
from reception.flow.failures import FailureCode
from reception.terminal.snapshot import Health, Snapshot
from reception.texts.failures import FAILURES, Failure
from reception.texts.wording import STEP_NUMBERS, STEPS, WITHOUT_STAFF

CANCEL_STATES = (*REVOCABLE, State.LIMIT_CONSENT, State.PHONE_TAP)
"""States in which staff can end a visit from afar."""
NEEDS_HAND = ("CALL_STAFF", "OUT_OF_SERVICE")
IDENTITY_STEP = 2
RESTS = ("WAITING", "DESK_CLOSED")


@dataclass(frozen=True)
class Situation:
    """One terminal at this moment."""

    heading: str
    tone: str
    """"hand": somebody must go there or do something; "done"; "busy"; "rest"; "silent"."""
    details: tuple[str, ...] = ()
    trouble: str = ""
    remedy: str = ""
    since: datetime | None = None

    @property
    def urgency(self) -> int:
        """Return the place among the terminals that want to be looked at; 0 comes first."""
        return ("hand", "silent", "busy", "done", "rest").index(self.tone)


def failure_of(code: str) -> Failure | None:
    """Return the words of a failure; None for none, or one of another release."""
    try:
        return FAILURES[FailureCode(code)] if code else None
    except ValueError:
        return None


def situation(desk: Desk, t: Words) -> Situation:
    """Return what a terminal does."""
    snapshot = desk.snapshot
    if not desk.is_heard:
        since = desk.silent_since
        return Situation(
            t("端末と連絡が取れません"),
            "silent",
            trouble=t("いまの様子は分かりません。"),
            remedy=t("端末の電源とネットワークを確認してください。端末での受付は、そのまま続けられます。"),
            since=since,
        )
    alone = snapshot.screen == "CALL_STAFF" and snapshot.failure in WITHOUT_STAFF
    screen = "TAKE_CARD" if alone else snapshot.screen
    failure = failure_of(str(snapshot.failure))
    hand = not alone and (screen in NEEDS_HAND or screen == "VISUAL_CHECK")
    tone = "hand" if hand else "done" if snapshot.completed else "rest" if screen in RESTS else "busy"
    return Situation(
        t(wording.STATES.get(screen, screen)),
        tone,
        tuple(_details(snapshot, t)),
        t(flat(failure.what)) if failure else "",
        t(failure.staff) if failure and (hand or failure.ends) else "",
        desk.since,
    )


def flat(text: str) -> str:
    """Return a patient's text in one line."""
    return text.replace("\n", "")


def _details(snapshot: Snapshot, t: Words) -> list[str]:
    number = STEP_NUMBERS.get(str(snapshot.step), 0)
    tries = snapshot.pin_tries_left
    question = wording.ITEMS.get(str(snapshot.question), "")
    found = [
        t("手順 {n}/4 {step}", n=number, step=t(STEPS[number - 1])) if number else "",
        t("質問 {n}/{m} {item}", n=snapshot.question_number, m=snapshot.question_count, item=t(question))
        if question
        else "",
        t("本人確認: {way}", way=t(wording.IDENTITY.get(str(snapshot.identity), "")))
        if snapshot.identity
        else "",
        t("暗証番号 残り {n} 回", n=tries) if tries is not None and number == IDENTITY_STEP else "",
        t("あと {n} 秒で時間切れ", n=snapshot.seconds_left) if snapshot.seconds_left is not None else "",
        t("カードの取り忘れを {n} 回案内", n=snapshot.reminders) if snapshot.reminders else "",
        t("患者の画面に言葉を表示中") if snapshot.staff_message else "",
        t("言語: {name}", name=t(wording.LANGUAGES.get(str(snapshot.language), str(snapshot.language))))
        if snapshot.language != "ja"
        else "",
    ]
    return [each for each in found if each]


@dataclass(frozen=True)
class Lamp:
    """One part of a terminal."""

    name: str
    state: str
    word: str
    remedy: str = ""


def lamps(health: Health, t: Words) -> tuple[Lamp, ...]:
    """Return the parts that a terminal has, each with its state, and the remedy of one that is down."""
    remedies: Mapping[str, str] = wording.REMEDIES
    if health.camera_fault in wording.CAMERA_FAULTS:
        remedies = {**remedies, "camera": wording.CAMERA_FAULTS[health.camera_fault]}
    found = []
    for part, name in wording.PARTS.items():
        state = str(getattr(health, part, "none"))
        if state in wording.HEALTH and state != "none":
            remedy = t(remedies[part]) if state == "down" else ""
            found.append(Lamp(t(name), state, t(wording.HEALTH[state]), remedy))
    return tuple(found)
