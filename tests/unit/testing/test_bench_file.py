"""Bench files: a virtual card plays the real one, a small program the robot, and nobody else's card is touched."""

import fcntl
import hashlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import config
from config import Camera, ConfigError
from config.person import load_person
from config.toml_file import TomlFile
from consent.server.certificates import Authority
from consent.server.trusted import load_cas
from hardware.card import CardRemovedError, MyNumberCard, PinWrong, Presence
from hardware.face.engine import FaceEngine
from hardware.simulation.pcscd import READER
from hardware.simulation.virtual_card import (
    CardSlot,
    RecordingCard,
    SmartCard,
    VirtualCard,
    VirtualReader,
    foreign_card,
)
from reception.__main__ import main
from reception.testing import scenarios
from reception.testing.scenarios import real_bench
from reception.testing.testbench import Bench, BenchTrouble, RealBench, make_card
from reception.testing.testbench.file import BenchFile, BenchPlan, load_bench
from reception.testing.testbench.one_card import OneCard
from reception.testing.testbench.operators import Commands
from tests.support import ROOT
from tests.support.pcscd import running_pcscd

HOLDER = "age45"

PIN_VISIT = """title = "{title}"
person = "age45"
on = [
  {{state = "METHOD_CHOICE", do = "choose_pin"}},
  {{state = "PIN_ENTRY", do = "type_pin", value = "card"}},
  {{state = "CONSENT", do = "answer_all", value = "given"}},
  {{state = "LIMIT_CONSENT", do = "answer", value = "given"}},
  {{state = "TAKE_CARD", do = "remove_card"}},
]
[expect]
end = "WAITING"
completed = true
identity = "pin"
sent = 1
pin_tries_left = 3
within_s = 20
"""

PHONE_VISIT = """title = "phone"
person = "phone-ios"
on = [
  {state = "PHONE_TAP", do = "tap_phone"},
  {state = "CONSENT", do = "answer_all", value = "given"},
  {state = "LIMIT_CONSENT", do = "answer", value = "given"},
]
[expect]
end = "WAITING"
completed = true
sent = 1
within_s = 20
"""

MISSED_PIN = """title = "missed"
person = "age45"
on = [
  {state = "METHOD_CHOICE", do = "choose_pin"},
  {state = "PIN_ENTRY", do = "type_pin", value = "9999"},
  {state = "PIN_ENTRY", visit = 2, do = "remove_card"},
]
[expect]
end = "WAITING"
completed = false
sent = 0
pin_tries_left = 2
"""

ROBOT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as bench:
    bench.connect(sys.argv[1])
    bench.sendall(sys.argv[2].encode())
    bench.shutdown(socket.SHUT_WR)
    answer = bench.recv(1000).decode()
sys.exit(answer or 0)
"""


class Robot:
    """What the programs of a bench file reach by a socket: hands at a slot, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: list[str] = []
        self.hands: dict[str, Callable[[], object]] = {}
        (folder / "robot.py").write_text(ROBOT, encoding="utf-8")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "robot"))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, name="robot")
        self._thread.start()

    def takes(self, slot: CardSlot, *laid: SmartCard) -> None:
        """Put these cards in one after the other, the last one for ever."""
        waiting = list(laid)
        self.hands["insert"] = lambda: slot.insert(waiting.pop(0) if len(waiting) > 1 else waiting[0])
        self.hands["remove"] = slot.remove

    def command(self, hand: str) -> list[str]:
        return [sys.executable, "-S", "-E", "robot.py", "robot", hand]

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(self.folder / "robot"))
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                hand = connection.recv(100).decode()
                if not hand:
                    return
                self.done.append(hand)
                try:
                    self.hands[hand]()
                except OSError as error:
                    connection.sendall(str(error).encode())


@dataclass
class Typist:
    """A console at which everything is answered at once; ``hands`` do what is asked for."""

    secrets: list[str] = field(default_factory=list)
    hands: dict[str, Callable[[], object]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def confirm(self, words: str) -> None:
        self.asked.append(words)
        for part, hand in self.hands.items():
            if part in words:
                hand()

    def secret(self, words: str) -> bytearray:
        self.asked.append(words)
        return bytearray(self.secrets.pop(0).encode("ascii"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who issued the card; the bench has an authority of its own and does not know this one."""
    return Authority(tmp_path_factory.mktemp("cards"))


@pytest.fixture
def state(made_state: Path) -> Path:
    return made_state


@pytest.fixture
def own_card(authority: Authority) -> VirtualCard:
    """The one card of the bench, with a full counter."""
    return make_card(load_person(HOLDER), authority)


@pytest.fixture
def robot(tmp_path: Path) -> Iterator[Robot]:
    made = Robot(tmp_path)
    yield made
    made.close()


def fingerprint(card: VirtualCard) -> str:
    return hashlib.sha256(card.contents.credentials.certificate).hexdigest()


def toml(text: str, name: str, folder: Path) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def bench_file(
    folder: Path, card: VirtualCard, authority: Authority, operator: str, reader: str = "Reader"
) -> Path:
    """Write a complete bench file, and the CA file that it names."""
    (ca,) = authority.trusted_cas()
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    text = (
        f'[reader]\nname = "{reader}"\n[card]\ncertificate_sha256 = "{fingerprint(card)}"\n'
        f'[server]\ntrust_ca = "ca.pem"\n{operator}'
    )
    return toml(text, "bench.toml", folder)


def by_robot(robot: Robot) -> str:
    commands = "".join(
        f"{verb} = {json.dumps(robot.command(hand))}\n"
        for verb, hand in (("insert_card", "insert"), ("remove_card", "remove"))
    )
    return f'[operator]\nkind = "command"\n[operator.commands]\n{commands}'


def opened(
    plan: BenchPlan, reader: VirtualReader, console: Typist, *, allow_pin_miss: bool = False
) -> RealBench:
    return RealBench(plan, allow_pin_miss=allow_pin_miss, console=console, open_reader=lambda name: reader)


def played(
    plan: BenchPlan,
    state: Path,
    reader: VirtualReader,
    console: Typist,
    *files: Path,
    allow_pin_miss: bool = False,
) -> list[scenarios.Result]:
    real = RealBench(plan, allow_pin_miss=allow_pin_miss, console=console, open_reader=lambda name: reader)
    plays = [scenarios.load(path, state, None, None) for path in files]
    for play in plays:
        real_bench.check(play, real)
    with real:
        # Nobody comes by face: it need not run.
        return scenarios.play_all(plays, state, real, engine=FaceEngine())


# --- Whole runs -------------------------------------------------------------------------------------------------


def test_a_robot_plays_a_pin_visit_on_a_card_of_another_authority(
    robot: Robot, own_card: VirtualCard, authority: Authority, state: Path, tmp_path: Path
) -> None:
    reader, console = VirtualReader(), Typist(["1234"])
    robot.takes(reader.slot, own_card)
    plan = load_bench(bench_file(tmp_path, own_card, authority, by_robot(robot)))
    visit = toml(PIN_VISIT.format(title="one"), "one.toml", tmp_path)

    (result,) = played(plan, state, reader, console, visit)

    assert result.passed, result.why
    assert result.pin_tries_left == 3
    assert reader.presence() is Presence.EMPTY
    assert len(console.asked) == 1
    assert "3 tries left" in console.asked[0]


def test_a_person_is_asked_for_each_hand_and_once_for_the_pin(
    own_card: VirtualCard, authority: Authority, state: Path, tmp_path: Path
) -> None:
    reader = VirtualReader()
    console = Typist(
        ["1234"], {"put the card in": partial(reader.insert, own_card), "take the card out": reader.remove}
    )
    plan = load_bench(bench_file(tmp_path, own_card, authority, '[operator]\nkind = "person"\n'))
    visits = [toml(PIN_VISIT.format(title=title), f"{title}.toml", tmp_path) for title in ("one", "two")]

    results = played(plan, state, reader, console, *visits)

    assert [result.why for result in results] == ["", ""]
    hands = [words.split(" / ")[1][:8] for words in console.asked]
    # To make sure of the card; the visit; the card's tries; and once more a visit.
    assert hands == [
        "put the ",
        "PIN of t",
        "take the",
        *["put the ", "take the", "put the ", "take the"] * 2,
    ]


def test_another_card_ends_the_run_before_any_pin_is_sent(
    robot: Robot, own_card: VirtualCard, authority: Authority, state: Path, tmp_path: Path
) -> None:
    reader, console = VirtualReader(), Typist(["1234"])
    other = RecordingCard(make_card(load_person("age75"), authority))
    robot.takes(reader.slot, own_card, other)
    plan = load_bench(bench_file(tmp_path, own_card, authority, by_robot(robot)))
    visits = [toml(PIN_VISIT.format(title=title), f"{title}.toml", tmp_path) for title in ("one", "two")]

    first, second = played(plan, state, reader, console, *visits)

    assert isinstance(other.inner, VirtualCard)
    found = fingerprint(other.inner)
    assert first.why == f"another card is in Virtual reader: its certificate_sha256 is {found}"
    assert second.why == f"not played, since 'one' ended the run: {first.why}"
    assert other.seen
    assert not [apdu for apdu in other.seen if apdu[1] == 0x20 and len(apdu) > 4]
    assert other.pin_tries_left == 3


@pytest.mark.parametrize("kind", ["juki", "transit", "payment", "other"])
def test_a_card_of_another_kind_ends_the_run_before_the_pin_is_asked_for(
    kind: Any, own_card: VirtualCard, authority: Authority, tmp_path: Path
) -> None:
    reader = VirtualReader()
    console = Typist(hands={"put the card in": lambda: reader.insert(foreign_card(kind))})
    plan = load_bench(bench_file(tmp_path, own_card, authority, '[operator]\nkind = "person"\n'))

    with opened(plan, reader, console) as real, pytest.raises(BenchTrouble) as caught:
        real.prepare(pin=True, face=True)

    assert str(caught.value) == f"another card is in Virtual reader: not a My Number card: {kind}"

    assert len(console.asked) == 1


def test_the_first_failure_of_a_device_is_what_later_scenarios_report(
    robot: Robot, own_card: VirtualCard, authority: Authority, state: Path, tmp_path: Path
) -> None:
    reader, console = VirtualReader(), Typist(["1234"])
    robot.takes(reader.slot, own_card)
    insert = robot.hands["insert"]

    def jam() -> None:
        if robot.done.count("insert") > 1:
            raise OSError("the gripper is stuck")
        insert()

    robot.hands["insert"] = jam
    plan = load_bench(bench_file(tmp_path, own_card, authority, by_robot(robot)))
    visits = [
        toml(PIN_VISIT.format(title=title), f"{title}.toml", tmp_path) for title in ("one", "two", "three")
    ]

    first, *later = played(plan, state, reader, console, *visits)

    assert first.why.startswith("operator command insert_card (")
    assert first.why.endswith("failed with status 1: the gripper is stuck")
    assert [result.why for result in later] == [f"not played, since 'one' ended the run: {first.why}"] * 2
    assert robot.done.count("insert") == 2


def test_a_reader_that_is_gone_in_a_scenario_is_the_reason_for_the_rest(
    robot: Robot,
    own_card: VirtualCard,
    authority: Authority,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reception.testing.testbench.real.SEEN_WITHIN_S", 0.2)
    reader, console = VirtualReader(), Typist(["1234"])
    robot.takes(reader.slot, own_card)
    removals = robot.hands["remove"]

    def pull_everything() -> None:
        removals()
        if robot.done.count("remove") == 2:
            reader.unplug()

    robot.hands["remove"] = pull_everything
    plan = load_bench(bench_file(tmp_path, own_card, authority, by_robot(robot)))
    visits = [toml(PIN_VISIT.format(title=title), f"{title}.toml", tmp_path) for title in ("one", "two")]

    first, second = played(plan, state, reader, console, *visits)

    assert first.why.endswith("Virtual reader is not attached)")
    assert second.why == f"not played, since 'one' ended the run: {first.why}"


def test_what_fails_after_the_first_trouble_does_not_hide_it(
    own_card: VirtualCard, authority: Authority, tmp_path: Path
) -> None:
    reader = VirtualReader()
    operator = (
        "[operator]\nkind = 'command'\n[operator.commands]\ninsert_card = ['false']\nremove_card = ['true']\n"
    )
    plan = load_bench(bench_file(tmp_path, own_card, authority, operator))
    with opened(plan, reader, Typist()) as real:
        with pytest.raises(BenchTrouble) as first:
            real.do("insert_card")
        reader.unplug()
        with pytest.raises(BenchTrouble) as second:
            real.restore()
    assert str(second.value) == str(first.value) == real.trouble


def test_the_time_that_hands_take_does_not_count(
    own_card: VirtualCard, authority: Authority, state: Path, tmp_path: Path
) -> None:
    reader = VirtualReader()
    plan = load_bench(bench_file(tmp_path, own_card, authority, '[operator]\nkind = "person"\n'))
    console = Typist(["1234"], {"take the card out": reader.remove})
    real = opened(plan, reader, console)

    def slowly() -> None:
        real.waited_s += 60
        reader.insert(own_card)

    console.hands["put the card in"] = slowly
    visit = toml(
        PIN_VISIT.format(title="one").replace("within_s = 20", "within_s = 0.01"), "one.toml", tmp_path
    )

    with real:
        (result,) = scenarios.play_all(
            [scenarios.load(visit, state, None, None)], state, real, engine=FaceEngine()
        )

    assert result.passed, result.why


def test_a_missed_pin_is_given_back_to_the_card_after_it_was_counted(
    robot: Robot, own_card: VirtualCard, authority: Authority, state: Path, tmp_path: Path
) -> None:
    reader, console = VirtualReader(), Typist(["1234"])
    robot.takes(reader.slot, own_card)
    plan = load_bench(bench_file(tmp_path, own_card, authority, by_robot(robot)))
    missed = toml(MISSED_PIN, "missed.toml", tmp_path)

    (result,) = played(plan, state, reader, console, missed, allow_pin_miss=True)

    assert result.passed, result.why
    assert result.pin_tries_left == 2
    assert own_card.pin_tries_left == 3


def test_a_phone_known_to_the_bench_makes_a_visit_and_the_card_is_not_asked_for(
    own_card: VirtualCard, authority: Authority, state: Path, tmp_path: Path
) -> None:
    phone = make_card(load_person("phone-ios"), authority)
    readers = {"Reader": VirtualReader(), "Phones": VirtualReader("Phones")}
    hands: dict[str, Callable[[], object]] = {
        "lay the phone": partial(readers["Phones"].insert, phone),
        "take the phone": readers["Phones"].remove,
    }
    operator = (
        f'[phone_reader]\nname = "Phones"\ncertificate_sha256 = "{fingerprint(phone)}"\n'
        '[operator]\nkind = "person"\n'
    )
    plan = load_bench(bench_file(tmp_path, own_card, authority, operator))
    console = Typist(hands=hands)
    real = RealBench(plan, console=console, open_reader=readers.__getitem__)
    play = scenarios.load(toml(PHONE_VISIT, "phone.toml", tmp_path), state, None, None)
    real_bench.check(play, real)

    with real:
        (result,) = scenarios.play_all([play], state, real, engine=FaceEngine())

    assert result.passed, result.why
    assert [words.split(" / ")[1][:14] for words in console.asked] == ["lay the phone ", "take the phone"]


# --- The card is safe -------------------------------------------------------------------------------------------


def guarded(card: VirtualCard, *, allow_miss: bool = False) -> tuple[OneCard, VirtualReader, list[str]]:
    """A reader that lets this card be used, knows its PIN and code, and tells why it stopped."""
    reader = VirtualReader()
    reader.insert(card)
    secrets = [bytearray(b"1234"), bytearray(card.contents.match_code_b, "ascii")]
    stopped: list[str] = []
    one = OneCard(reader, fingerprint(card), lambda: secrets, stopped.append, allow_miss=allow_miss)
    return one, reader, stopped


def test_a_wrong_pin_never_reaches_the_card_unless_that_is_allowed(own_card: VirtualCard) -> None:
    one, _, stopped = guarded(own_card)
    card = MyNumberCard(one.connect())
    card.read()

    with pytest.raises(CardRemovedError):
        card.verify_pin(bytearray(b"9999"))

    assert stopped == ["a PIN that is not this card's was about to be sent; --allow-pin-miss allows one"]
    assert own_card.pin_tries_left == 3


def test_even_when_allowed_a_wrong_pin_leaves_two_tries(own_card: VirtualCard) -> None:
    one, _, stopped = guarded(own_card, allow_miss=True)
    card = MyNumberCard(one.connect())
    card.read()
    with pytest.raises(PinWrong):
        card.verify_pin(bytearray(b"9999"))

    with pytest.raises(CardRemovedError):
        card.verify_pin(bytearray(b"8888"))

    assert "2 tries are left" in stopped[0]
    assert own_card.pin_tries_left == 2


def test_the_last_try_is_not_even_used_for_the_right_pin(authority: Authority) -> None:
    holder = load_person(HOLDER)
    card = make_card(replace(holder, card=replace(holder.card, pin_tries_left=1)), authority)
    one, _, stopped = guarded(card, allow_miss=True)
    patient = MyNumberCard(one.connect())
    patient.read()

    with pytest.raises(CardRemovedError):
        patient.verify_pin(bytearray(b"1234"))

    assert "1 tries are left" in stopped[0]
    assert card.pin_tries_left == 1


def test_the_right_pin_and_code_pass(own_card: VirtualCard) -> None:
    one, _, stopped = guarded(own_card)
    card = MyNumberCard(one.connect())
    card.read()
    card.verify_pin(bytearray(b"1234"))
    assert card.read_face(own_card.contents.match_code_b)[0].photo_jp2
    assert stopped == []


@pytest.mark.parametrize("command", ["0024018004 31323334", "8032008004 31323334"])
def test_a_pin_is_never_changed(own_card: VirtualCard, command: str) -> None:
    one, _, _ = guarded(own_card)
    with pytest.raises(ValueError, match="never changes"):
        one.connect().transmit(bytes.fromhex(command))


def test_a_refused_card_is_let_go_of(own_card: VirtualCard, authority: Authority) -> None:
    one, reader, stopped = guarded(own_card)
    reader.insert(make_card(load_person("age75"), authority))

    with pytest.raises(CardRemovedError):
        one.connect()

    assert len(stopped) == 1
    reader.connect().close()


@pytest.mark.parametrize(
    ("secrets", "tries", "said", "after"),
    [
        (["12a4"], 3, "a PIN has 4 digits; nothing was sent to the card", 3),
        (["9999"], 3, "the card refused the PIN: wrong PIN, 2 tries left", 2),
        ([], 2, "the card has 2 PIN tries left, and 3 are needed; --allow-pin-miss goes on with 2", 2),
        ([], 1, "the card has 1 PIN tries left, and 3 are needed", 1),
        (["1234", "123"], 3, "照合番号B has 14 digits; nothing was sent to the card", 3),
        (["1234", "0" * 14], 3, "the card refused 照合番号B: wrong match code, 9 tries left", 3),
    ],
)
def test_what_is_mistyped_at_the_start_ends_the_run(
    secrets: list[str], tries: int, said: str, after: int, authority: Authority, tmp_path: Path
) -> None:
    holder = load_person(HOLDER)
    card = make_card(replace(holder, card=replace(holder.card, pin_tries_left=tries)), authority)
    reader = VirtualReader()
    console = Typist(secrets, {"put the card in": partial(reader.insert, card)})
    plan = load_bench(bench_file(tmp_path, card, authority, '[operator]\nkind = "person"\n'))

    with opened(plan, reader, console) as real, pytest.raises(BenchTrouble) as caught:
        real.prepare(pin=True, face=True)

    assert str(caught.value) == real.trouble == said
    assert card.pin_tries_left == after
    assert secrets == []


def test_a_camera_that_is_not_there_ends_the_run_before_anybody_is_asked(
    own_card: VirtualCard, authority: Authority, tmp_path: Path
) -> None:
    operator = '[camera]\nindex = 99\n[operator]\nkind = "person"\n'
    plan, console = load_bench(bench_file(tmp_path, own_card, authority, operator)), Typist()

    with opened(plan, VirtualReader(), console) as real, pytest.raises(BenchTrouble, match="camera: "):
        real.prepare(pin=False, face=True)

    assert console.asked == []


def test_two_tries_are_enough_where_misses_are_allowed(authority: Authority, tmp_path: Path) -> None:
    holder = load_person(HOLDER)
    card = make_card(replace(holder, card=replace(holder.card, pin_tries_left=2)), authority)
    reader = VirtualReader()
    hands: dict[str, Callable[[], object]] = {
        "put the card in": partial(reader.insert, card),
        "take the card out": reader.remove,
    }
    plan = load_bench(bench_file(tmp_path, card, authority, '[operator]\nkind = "person"\n'))

    with opened(plan, reader, Typist(["1234", ""], hands), allow_pin_miss=True) as real:
        real.prepare(pin=True, face=True)
        assert real.match_code_b() is None, "without the code there is no face route"
        assert real.pin() == b"1234"

    assert real.pin() == b"", "the PIN is gone when the run is over"
    assert card.pin_tries_left == 3


# --- Refused before anything is done ----------------------------------------------------------------------------

BENCH = """[reader]
name = "Identiv*"
[card]
certificate_sha256 = "{sha256}"
[operator]
kind = "person"
""".format(sha256="0" * 64)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BENCH.replace("0" * 64, "0" * 63), "bench.toml:4: card.certificate_sha256: "),
        (BENCH.replace('"person"', '"nobody"'), "bench.toml:6: operator.kind: 'nobody' is not allowed"),
        (BENCH.replace("[card]", "[cart]"), "bench.toml:3: cart: is not a known key"),
        (BENCH.replace("[reader]", "[readers]"), "bench.toml:1: readers: is not a known key"),
        (BENCH.replace('name = "Identiv*"', ""), "bench.toml:1: reader.name: is missing"),
        ('[reader]\nname = "x"\n[operator]\nkind = "person"\n', "card.certificate_sha256: is missing"),
        (BENCH + "[camera]\nindex = -1\n", "bench.toml:8: camera.index: -1 is not allowed"),
        (BENCH + '[camera]\nindex = 0\nclip = "x"\n', "bench.toml:9: camera.clip: there is a camera index"),
        (BENCH + '[camera]\nclip = "nothing"\n', "bench.toml:8: camera.clip: "),
        (BENCH + '[server]\ntrust_ca = "nothing.pem"\n', "bench.toml:8: server.trust_ca: "),
        (BENCH + '[person]\nfile = "nobody.toml"\n', "bench.toml:8: person.file: "),
        (
            BENCH.replace('"person"', '"command"') + "[operator.commands]\ninsert_card = ['a']\n",
            "bench.toml:7: operator.commands.remove_card: is missing",
        ),
        (
            BENCH.replace('"person"', '"command"')
            + "[operator.commands]\ninsert_card = ['a']\nremove_card = ['a']\nunplug_reader = ['a']\n",
            "bench.toml:7: operator.commands.plug_reader: is missing",
        ),
        (
            BENCH.replace('"person"', '"command"') + "[operator.commands]\njuggle = ['a']\n",
            "bench.toml:8: operator.commands.juggle",
        ),
        (
            BENCH + "[operator.commands]\ninsert_card = ['a']\n",
            "bench.toml:7: operator.commands: is only for",
        ),
        (BENCH.replace('"person"', '"simulated"'), "bench.toml:2: reader.name: 'Identiv*' is not allowed"),
    ],
)
def test_a_mistake_in_a_bench_file_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_bench(toml(text, "bench.toml", tmp_path))
    line = str(caught.value)
    assert said in line
    assert "\n" not in line


def rules(*lines: str) -> str:
    return 'title = "t"\nperson = "age45"\non = [\n' + "".join(f"  {{{line}}},\n" for line in lines) + "]\n"


MISS = 'state = "PIN_ENTRY", do = "type_pin", value = "9999"'
RIGHT = 'state = "PIN_ENTRY", do = "type_pin", value = "card"'


@pytest.mark.parametrize(
    ("text", "allow", "said"),
    [
        (rules('state = "READING", do = "stall_card"'), False, "(person) cannot do that"),
        (rules('state = "READING", do = "fault_reader"'), False, "(person) cannot do that"),
        (rules('state = "READING", do = "swap_card", person = "age75"'), False, "one card only"),
        (rules('state = "WAITING", do = "insert_card", person = "age75"'), False, "nobody else's"),
        (rules(RIGHT, MISS), False, "t.toml:5: on[2].do: type_pin: spends a PIN try of a real card; --allow"),
        (rules(MISS, RIGHT, MISS, MISS), True, "t.toml:7: on[4].do: type_pin: could leave the card less"),
        ('title = "t"\nperson = "one-try-left"\n', True, "t.toml:2: person: one-try-left: only a virtual"),
        ('title = "t"\nperson = "certificate-revoked"\n', True, "certificate-revoked: only a virtual card"),
        ('title = "t"\nperson = "phone-ios"\n', True, "phone-ios: this bench has no phone reader"),
        (
            'title = "t"\nperson = "phone-android"\n',
            True,
            "phone-android: shows its certificate after the PIN",
        ),
    ],
)
def test_a_scenario_that_the_bench_cannot_play_is_refused(
    text: str, allow: bool, said: str, tmp_path: Path, state: Path
) -> None:
    plan = load_bench(toml(BENCH, "bench.toml", tmp_path))
    real = opened(plan, VirtualReader(), Typist(), allow_pin_miss=allow)

    with pytest.raises(ConfigError) as caught:
        real_bench.check(scenarios.load(toml(text, "t.toml", tmp_path), state), real)

    assert said in str(caught.value)


@pytest.mark.parametrize("text", [rules(MISS, RIGHT, MISS), rules('state = "READING", do = "unplug_reader"')])
def test_a_scenario_that_the_bench_can_play_is_not_refused(text: str, tmp_path: Path, state: Path) -> None:
    real = opened(
        load_bench(toml(BENCH, "bench.toml", tmp_path)), VirtualReader(), Typist(), allow_pin_miss=True
    )
    real_bench.check(scenarios.load(toml(text, "t.toml", tmp_path), state), real)


def test_show_and_clips_need_recorded_frames(tmp_path: Path, state: Path) -> None:
    plan = load_bench(toml(BENCH + "[camera]\nindex = 0\n", "bench.toml", tmp_path))
    real = opened(plan, VirtualReader(), Typist())
    for text in ('clip = "age75"\n', 'on = [{state = "WAITING", do = "show", clip = "age75"}]\n'):
        path = toml('title = "t"\nperson = "age45"\n' + text, "t.toml", tmp_path)
        with pytest.raises(ConfigError, match="this bench has a real camera"):
            real_bench.check(scenarios.load(path, state), real)


def test_a_simulated_operator_is_one_of_the_built_in_benches(tmp_path: Path) -> None:
    plain = load_bench(toml('[operator]\nkind = "simulated"\n', "a.toml", tmp_path))
    pcsc = f'[operator]\nkind = "simulated"\n[reader]\nname = "{READER}"\n[camera]\nindex = 1\n'
    with real_bench.opened(plain, []) as bench:
        assert (bench.kind, bench.camera) == ("simulated", None)
    with real_bench.opened(load_bench(toml(pcsc, "b.toml", tmp_path)), []) as bench:
        assert bench.kind == "pcsc"
        assert bench.camera == Camera(index=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hil", "x.toml", "--bench", "nowhere.toml"], "--bench nowhere.toml: should be simulated, pcsc or"),
        (["server", "--trust-ca", "nothing.pem"], "nothing.pem: cannot be read: No such file or directory"),
        (["server", "--person", "nobody.toml"], "nobody.toml: there is no such person file"),
    ],
)
def test_a_wrong_argument_is_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(tmp_path), *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"reception: {said}")


def test_a_trouble_of_the_bench_is_one_line_and_exit_code_2_with_the_results_written(
    own_card: VirtualCard,
    authority: Authority,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("reception.testing.testbench.real._pcsc_reader", lambda name: VirtualReader())
    operator = (
        "[operator]\nkind = 'command'\n[operator.commands]\ninsert_card = ['false']\nremove_card = ['true']\n"
    )
    bench = bench_file(tmp_path, own_card, authority, operator)
    visit = toml(PIN_VISIT.format(title="one"), "one.toml", tmp_path)
    report = tmp_path / "results.json"

    status = main(["--state", str(state), "hil", str(visit), "--bench", str(bench), "--json", str(report)])

    said = "operator command insert_card (false) failed with status 1"
    assert status == 2
    assert capsys.readouterr().err == f"reception: {said}\n"
    assert json.loads(report.read_text(encoding="utf-8"))[0]["why"] == f"not played: {said}"


def test_the_bench_files_of_the_guide_are_right() -> None:
    page = ROOT / "docs" / "guide" / "real-reader-and-camera.md"
    text = page.read_text(encoding="utf-8")
    examples = [block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[operator]" in block]
    assert len(examples) == 2
    for example in examples:
        TomlFile(page, example, tomllib.loads(example)).parse(BenchFile)


# --- Whose cards the server knows -------------------------------------------------------------------------------


def test_trusted_cas_are_read_as_pem_and_as_der(authority: Authority, tmp_path: Path) -> None:
    (ca,) = authority.trusted_cas()
    (tmp_path / "two.pem").write_bytes(ca.public_bytes(Encoding.PEM) * 2)
    (tmp_path / "one.der").write_bytes(ca.public_bytes(Encoding.DER))
    assert load_cas(tmp_path / "two.pem") == [ca, ca]
    assert load_cas(tmp_path / "one.der") == [ca]


def test_a_holders_certificate_is_no_ca(own_card: VirtualCard, tmp_path: Path) -> None:
    path = tmp_path / "holder.der"
    path.write_bytes(own_card.contents.credentials.certificate)
    with pytest.raises(ConfigError, match="not a CA's"):
        load_cas(path)
    path.write_bytes(b"rubbish")
    with pytest.raises(ConfigError, match="no readable certificate"):
        load_cas(path)


# --- Hands ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (["./no-such-program"], "cannot be run: No such file or directory"),
        (["sh", "-c", "echo first >&2; echo jammed >&2; exit 3"], "(sh) failed with status 3: jammed"),
    ],
)
def test_a_program_that_fails_is_named(program: list[str], said: str, tmp_path: Path) -> None:
    commands = Commands({"insert_card": program}, tmp_path, 20)
    with pytest.raises(BenchTrouble) as caught:
        commands.do("insert_card")
    assert str(caught.value).startswith("operator command insert_card (")
    assert str(caught.value).endswith(said)


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    program = ["sh", "-c", "sleep 60 > alive & wait"]
    reader = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BenchTrouble, match=r"\(sh\) did not end within 0\.3 s"):
        Commands({"insert_card": program}, tmp_path, 0.3).do("insert_card")
    # Its end is seen once nobody holds it open for writing any more.
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_program_may_leave_something_running(tmp_path: Path) -> None:
    program = ["sh", "-c", "sleep 60 & echo $! > pid"]
    Commands({"insert_card": program}, tmp_path, 20).do("insert_card")
    os.kill(int((tmp_path / "pid").read_text(encoding="ascii")), signal.SIGKILL)


def test_a_program_is_told_the_person_and_the_seconds(tmp_path: Path) -> None:
    program = ["sh", "-c", 'echo "$0 $1" > told', "{person}", "{seconds}"]
    Commands({"stall_card": program}, tmp_path, 5).do("stall_card", load_person(HOLDER), 1.5)
    assert (tmp_path / "told").read_text(encoding="utf-8") == "age45 1.5\n"


def test_what_a_scenario_left_undone_is_undone(
    own_card: VirtualCard, authority: Authority, tmp_path: Path
) -> None:
    reader = VirtualReader()
    hands: dict[str, Callable[[], object]] = {
        "put the card in": partial(reader.insert, own_card),
        "take the card out": reader.remove,
        "unplug the card reader": reader.unplug,
        "plug the card reader in": reader.plug,
    }
    plan = load_bench(bench_file(tmp_path, own_card, authority, '[operator]\nkind = "person"\n'))
    with opened(plan, reader, Typist([], hands)) as real:
        real.do("insert_card")
        real.do("unplug_reader")
        real.restore()
        assert reader.presence() is Presence.EMPTY


def test_a_phone_is_laid_on_its_own_reader_and_lifted(state: Path) -> None:
    people = [load_person(HOLDER)]
    with Bench(config.load(), state, people=people, engine=FaceEngine()) as bench:
        bench.tap_phone()
        assert bench.phone_reader
        assert bench.phone_reader.presence() is Presence.PRESENT
        bench.lift_phone()
        assert bench.phone_reader.presence() is Presence.EMPTY


def test_nobody_to_ask_is_told() -> None:
    script = "from reception.testing.testbench.console import TerminalConsole; TerminalConsole().confirm('x')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert "BenchTrouble: this bench asks a person, and was started without a terminal" in done.stderr


# --- From a console, through pcscd ------------------------------------------------------------------------------


def at_a_terminal(command: list[str], types: dict[str, str], limit_s: float = 60) -> tuple[int, str, str]:
    """Run a program with a terminal of its own, type after each prompt; return status, output and the terminal's."""
    master, slave = pty.openpty()
    shown = ""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        kill = threading.Timer(limit_s, process.kill)
        kill.start()
        waiting = dict(types)
        # The terminal ends, with an error, when the program has.
        with suppress(OSError):
            while part := os.read(master, 1000):
                shown += part.decode(errors="replace")
                for prompt in [each for each in waiting if each in shown]:
                    os.write(master, f"{waiting.pop(prompt)}\n".encode())
        status = process.wait()
        kill.cancel()
        os.close(master)
        output.seek(0)
        return status, output.read().decode(), shown


@pytest.fixture
def real_reader(robot: Robot, own_card: VirtualCard, authority: Authority, tmp_path: Path) -> Iterator[Path]:
    """A bench file whose reader is pcscd's, and whose robot holds the card."""
    with running_pcscd() as pcscd:
        robot.takes(pcscd.slot, own_card)
        yield bench_file(tmp_path, own_card, authority, by_robot(robot), READER)


def test_hil_plays_a_pin_visit_on_a_bench_file_and_shows_the_pin_nowhere(
    real_reader: Path, own_card: VirtualCard, state: Path, tmp_path: Path
) -> None:
    visit, report = toml(PIN_VISIT.format(title="one"), "one.toml", tmp_path), tmp_path / "results.json"
    command = [sys.executable, "-m", "reception", "--state", str(state), "hil", str(visit)]

    status, output, shown = at_a_terminal(
        [*command, "--bench", str(real_reader), "--json", str(report)], {"PIN of the card": "1234"}
    )

    assert status == 0, output
    (result,) = json.loads(report.read_text(encoding="utf-8"))
    assert (result["identity"], result["sent"], result["pin_tries_left"]) == ("pin", 1, 3)
    assert "1234" not in output + shown + report.read_text(encoding="utf-8")


def test_the_contract_of_readers_is_tested_on_a_bench_file(real_reader: Path, own_card: VirtualCard) -> None:
    chosen = "bench.toml and (pin_route or mute or restarts)"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/integration/test_pcsc.py",
        "--bench",
        str(real_reader),
    ]

    status, output, _ = at_a_terminal(
        [*command, "-k", chosen], {"PIN of": "1234", "match code B": own_card.contents.match_code_b}
    )

    assert status == 0, output
    assert "1 passed, 2 skipped" in output
    assert "bench.toml has no virtual card" in output
    assert "bench.toml has no stop_reader_service" in output
    assert own_card.pin_tries_left == 3
