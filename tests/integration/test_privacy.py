"""Nothing personal is left on disk or in the log after visits."""

import logging
import os
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from config.person import Person
from consent import wire
from reception.terminal.snapshot import CounterView, Snapshot
from reception.testing import scenarios

NAME, KANA, ADDRESS = "樒口　杜鵑花", "ｼｷﾐｸﾞﾁ ﾎﾄﾄｷﾞｽ", "東京都青ヶ島村無番地九七"
PIN, WRONG_PIN, SECURITY_CODE = "7306", "8417", "6093"
SYMBOL, NUMBER, INSURER = "七七九三", "90817263", "06139487"

PERSON = f"""name = "{NAME}"
name_kana = "{KANA}"
birth_date = 1981-09-23
sex = 2
address = "{ADDRESS}"
[certificate]
expires = 2030-02-17
[card]
expires = 2035-02-17
security_code = "{SECURITY_CODE}"
pin = "{PIN}"
photo = "astronaut"
[insurance]
insurer_number = "{INSURER}"
symbol = "{SYMBOL}"
number = "{NUMBER}"
limit_category = "A03"
"""

ANSWERS = """  {state = "CONSENT", do = "answer_all", value = "given"},
  {state = "LIMIT_CONSENT", do = "answer", value = "given"},
  {state = "TAKE_CARD", do = "remove_card"},
]
[expect]
completed = true
within_s = 20
"""
FACE = f"""title = "face"
person = "me.toml"
on = [
  {{state = "METHOD_CHOICE", do = "choose_face"}},
{ANSWERS}"""
WITH_PIN = f"""title = "PIN"
person = "me.toml"
on = [
  {{state = "METHOD_CHOICE", do = "choose_pin"}},
  {{state = "PIN_ENTRY", do = "type_pin", value = "{WRONG_PIN}"}},
  {{state = "PIN_ENTRY", visit = 2, do = "type_pin", value = "card"}},
{ANSWERS}"""
PULLED = f"""title = "pulled"
person = "me.toml"
on = [
  {{state = "METHOD_CHOICE", do = "choose_pin"}},
  {{state = "PIN_ENTRY", do = "type_pin", value = "{WRONG_PIN}"}},
  {{state = "PIN_ENTRY", visit = 2, do = "remove_card"}},
]
[expect]
completed = false
within_s = 20
"""


class Keeper(logging.Handler):
    """Keeps everything that any logger says, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # Ids and times hold digits by chance; nothing else in a line may.
        self.lines.append(self.format(record))


@dataclass(frozen=True)
class Left:
    """What is there after the visits."""

    person: Person
    lines: list[str]
    snapshots: list[Snapshot]
    state: Path
    temp: Path


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Play visits with every logger at DEBUG and a temp folder of their own."""
    folder, state, temp = (tmp_path_factory.mktemp(name) for name in ("scenarios", "state", "temp"))
    (folder / "me.toml").write_text(PERSON, encoding="utf-8")
    plays = []
    for name, text in (("face", FACE), ("pin", WITH_PIN), ("pulled", PULLED)):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        plays.append(scenarios.load(folder / f"{name}.toml", state, date(2026, 4, 1)))
    keeper, root = Keeper(), logging.getLogger()
    level = root.level
    snapshots: list[Snapshot] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temp))
        patch.setattr(tempfile, "tempdir", None)
        root.addHandler(keeper)
        root.setLevel(logging.DEBUG)
        try:
            results = scenarios.play_all(plays, state, watch=snapshots.append)
        finally:
            root.setLevel(level)
            root.removeHandler(keeper)
    assert [result.why for result in results] == ["", "", ""]
    return Left(plays[0].person, keeper.lines, snapshots, state, temp)


def personal(person: Person) -> list[str]:
    """Return what must not be found, in the forms in which it could be written."""
    words = [NAME, *NAME.split("\u3000"), KANA, *KANA.split(), ADDRESS, SYMBOL, NUMBER]
    days = [person.birth_date.isoformat(), person.birth_date.strftime("%Y%m%d")]
    return [*words, *days, "560923"]


def test_the_log_holds_nothing_personal(left: Left) -> None:
    assert any("COMPLETE" in line for line in left.lines)

    text = "\n".join(left.lines)

    assert [word for word in (*personal(left.person), INSURER) if word in text] == []


def test_the_log_holds_no_pin_and_no_security_code(left: Left) -> None:
    # As typed, as bytes are shown, and as an APDU trace would show them. Visit ids are random hex digits, so they
    # are taken out before the search.
    text = "\n".join(left.lines)
    for snapshot in left.snapshots:
        if snapshot.visit:
            text = text.replace(snapshot.visit, "")
    spelt = [
        form
        for secret in (PIN, WRONG_PIN, SECURITY_CODE)
        for form in (secret, secret.encode().hex(), secret.encode().hex(" "), str(list(secret.encode())))
    ]

    assert [form for form in spelt if form in text] == []


def test_snapshots_hold_nothing_personal(left: Left) -> None:
    text = "\n".join(map(repr, left.snapshots))

    assert [word for word in (*personal(left.person), INSURER) if word in text] == []


def test_the_counter_view_shows_no_name_when_it_is_printed() -> None:
    view = CounterView(
        visit="v",
        name=NAME,
        name_kana=KANA,
        birth_date=date(1981, 9, 23),
        insurer_number=INSURER,
        symbol=SYMBOL,
        number=NUMBER,
        branch="00",
        share=30,
        limit_category="A03",
    )

    assert [word for word in (NAME, KANA, INSURER, SYMBOL, NUMBER, "1981") if word in repr(view)] == []


def forms(word: str) -> list[bytes]:
    return [word.encode("utf-8"), word.encode("utf-16-be"), word.encode("cp932")]


def test_no_file_of_the_state_folder_holds_anything_personal(left: Left) -> None:
    files = [path for path in left.state.rglob("*") if path.is_file()]
    assert files

    found = [
        f"{word!r} in {path.relative_to(left.state)}"
        for path in files
        for word in (*personal(left.person), INSURER)
        if any(form in path.read_bytes() for form in forms(word))
    ]

    assert found == []


def test_no_file_of_the_state_folder_but_keys_and_clips_holds_a_pin(left: Left) -> None:
    # Four digits stand by chance in a key's base64 and in a JPEG; a file of other kinds is small and plain.
    small = [
        path
        for path in left.state.rglob("*")
        if path.is_file() and path.suffix not in (".jpg", ".png", ".pem", ".der")
    ]

    found = [
        f"{secret} in {path.relative_to(left.state)}"
        for path in small
        for secret in (PIN, WRONG_PIN, SECURITY_CODE)
        if secret.encode() in path.read_bytes()
    ]

    assert found == []


def test_pictures_stand_only_among_the_clips_made_from_shipped_portraits(left: Left) -> None:
    pictures = (b"\xff\xd8\xff", b"\x89PNG", b"\x00\x00\x00\x0cjP", b"\xff\x4f\xff\x51")
    clips = left.state / "clips"

    found = [
        path
        for path in left.state.rglob("*")
        if path.is_file() and path.read_bytes().startswith(pictures) and not path.is_relative_to(clips)
    ]

    assert found == []


def test_nothing_is_left_in_the_temp_folder(left: Left) -> None:
    assert os.listdir(left.temp) == []


def test_the_parser_of_messages_keeps_no_text_for_later() -> None:
    """Kept texts would be shared: names and numbers of patients who left long ago."""
    told = wire.ErrorAnswer(code="REFUSED", message=NAME).model_dump_json()
    first, second = (wire.ErrorAnswer.model_validate_json(told) for _ in range(2))
    assert first.message == second.message == NAME
    assert first.message is not second.message
