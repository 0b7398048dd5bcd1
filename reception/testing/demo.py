"""Two complete visits without a display: each step in words, and a picture of every screen."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from config.person import load_person
from reception.flow import State
from reception.terminal.snapshot import Snapshot
from reception.testing import scenarios
from reception.testing.timing import FOLLOWED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ANSWERS = (
    scenarios.Rule(state=State.CONSENT, do="answer_all", value="given"),
    scenarios.Rule(state=State.LIMIT_CONSENT, do="answer", value="given"),
    scenarios.Rule(state=State.TAKE_CARD, do="remove_card"),
)

_VISITS = (
    ("A visit by face", "age45", (scenarios.Rule(state=State.METHOD_CHOICE, do="choose_face"), *_ANSWERS)),
    (
        "A visit by PIN",
        "age75",
        (
            scenarios.Rule(state=State.METHOD_CHOICE, do="choose_pin"),
            scenarios.Rule(state=State.PIN_ENTRY, do="type_pin", value="card"),
            *_ANSWERS,
        ),
    ),
)

_WORDS = {
    "WAITING": "Ready: waiting for a My Number card",
    "READING": "1 読み取り  The card is in; its certificate and photo are read",
    "METHOD_CHOICE": "2 本人確認  The patient chooses: face or 4-digit PIN",
    "FACE_MATCH": "2 本人確認  The camera compares the face with the photo on the card",
    "PIN_ENTRY": "2 本人確認  The patient types the PIN; the card checks it",
    "CHECKING": "2 本人確認  The eligibility server checks certificate, signature and insurance",
    "SENDING": "4 受付完了  The answers are sent and recorded",
    "TAKE_CARD": "4 受付完了  受付が完了しました: checked in, the card is given back",
    "COMPLETE": "4 受付完了  The card is out; goodbye",
}

_QUESTIONS = {
    "MEDICATION": "診療・薬剤情報 past treatment and medicines",
    "HEALTH_CHECKUP": "特定健診情報 health checkups (from age 40)",
    "LIMIT_AMOUNT": "限度額情報 limit of the monthly cost",
}


def plans() -> list[scenarios.Play]:
    """Return the two visits, ready to be played."""
    expect = scenarios.Expect(end=State.WAITING, completed=True, sent=1)
    return [
        scenarios.Play(
            Path(title),
            scenarios.Scenario(title=title, person=person, on=rules, expect=expect),
            load_person(person),
            None,
            FOLLOWED.settings(),
            scenarios.TODAY,
        )
        for title, person, rules in _VISITS
    ]


def play(state: Path, say: Callable[[str], None]) -> bool:
    """Play a face visit and a PIN visit and say each step; False when one did not complete as it must."""
    ok = True
    for plan in plans():
        say(f"\n{plan.scenario.title} ({plan.person.id}, simulated card and camera, real server)")
        (result,) = scenarios.play_all([plan], state, watch=_teller(say))
        answers = ", ".join(f"{item} {answer}" for item, answer in result.consents.items())
        say(f"  The server holds: {answers}" if result.passed else f"  This went wrong: {result.why}")
        ok = ok and result.passed
    return ok


def _teller(say: Callable[[str], None]) -> Callable[[Snapshot], None]:
    said = 0

    def tell(seen: Snapshot) -> None:
        nonlocal said
        if seen.occasion == said:
            return
        said = seen.occasion
        if seen.question:
            step = "4 受付完了" if seen.state == "LIMIT_CONSENT" else "3 同意取得"
            say(f"  {step}  The patient is asked: {_QUESTIONS.get(seen.question, seen.question)}")
        elif seen.state in _WORDS:
            say(f"  {_WORDS[seen.state]}")

    return tell


def sample_frame(state: Path) -> "NDArray[np.uint8]":
    """Return what the camera sees of a simulated person, (H, W, 3) uint8 BGR."""
    from hardware.camera.clips import load_clip
    from reception.testing.testbench import clip_of

    return load_clip(clip_of(load_person("age45"), state / "clips")).image(0)


def take_pictures(state: Path) -> Path:
    """Save a picture of every patient screen and return the folder."""
    from reception.testing.gallery import save_gallery, without_display

    without_display()
    folder = state / "pictures"
    save_gallery(folder, sample_frame(state))
    return folder
