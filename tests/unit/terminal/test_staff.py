"""Staff passwords, and the visual check that begins with one."""

import os
import queue
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

import config
from config import Server
from config.person import load_person
from consent.eligibility import EligibilityClient
from consent.enrolment.state_files import StateError
from reception import __main__ as command_line
from reception import flow
from reception.flow import State
from reception.terminal.assembly import alone
from reception.terminal.snapshot import VisualView
from reception.terminal.staff import (
    FREE_MISSES,
    LONGEST_WAIT_S,
    KeptMisses,
    Misses,
    Staff,
    StaffAnswer,
    StaffError,
    Verdict,
    misses_file,
    read_hashes,
    remove_password,
    set_password,
    staff_file,
)
from reception.testing.testbench import STAFF, STAFF_PASSWORD, Bench
from reception.testing.visit_driver import VisitDriver

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASHES = {"desk-1": CHEAP.hash("right password")}


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def asked(staff: Staff, password: str, who: str = "desk-1") -> StaffAnswer:
    return staff.verify(who, bytearray(password.encode()))


def test_the_right_password_is_right_and_wiped() -> None:
    password = bytearray(b"right password")
    assert Staff(lambda: HASHES, Clock()).verify("desk-1", password) == StaffAnswer(Verdict.RIGHT)
    assert not any(password)


def test_after_too_many_misses_even_the_right_password_waits() -> None:
    clock = Clock()
    staff = Staff(lambda: HASHES, clock)
    for _ in range(FREE_MISSES):
        assert asked(staff, "wrong password").verdict is Verdict.WRONG
    waiting = asked(staff, "right password")
    assert (waiting.verdict, waiting.wait_s) == (Verdict.WAIT, 30.0)
    clock.time += 30.0
    assert asked(staff, "right password").verdict is Verdict.RIGHT
    assert asked(staff, "wrong password") == StaffAnswer(Verdict.WRONG)


@given(st.integers(FREE_MISSES, 40))
def test_every_further_miss_costs_more_time_up_to_a_limit(misses: int) -> None:
    state, before = Misses(), 0.0
    for _ in range(misses):
        state = state.missed(0.0)
        assert before <= state.until <= LONGEST_WAIT_S
        before = state.until
    assert state.until >= 30.0


def test_who_has_no_password_cannot_begin() -> None:
    assert asked(Staff(dict, Clock()), "right password").verdict is Verdict.UNUSABLE


def test_a_file_of_passwords_is_for_its_owner_and_holds_no_password(tmp_path: Path) -> None:
    path = tmp_path / "staff-passwords.json"
    set_password(path, "desk-1", "first password")
    set_password(path, "desk-2", "second password")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "password" not in path.read_text()
    assert all(each.startswith("$argon2id$") for each in read_hashes(path).values())
    staff = Staff(lambda: read_hashes(path), Clock())
    assert staff.ids() == ("desk-1", "desk-2")
    assert asked(staff, "second password", "desk-2").verdict is Verdict.RIGHT
    assert asked(staff, "second password", "desk-1").verdict is Verdict.WRONG
    remove_password(path, "desk-1")
    assert staff.ids() == ("desk-2",)


def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "staff-passwords.json"
    set_password(path, "desk-1", "first password")
    path.chmod(0o640)
    with pytest.raises(StaffError, match="others can read it"):
        read_hashes(path)
    assert asked(Staff(lambda: read_hashes(path), Clock()), "first password").verdict is Verdict.UNUSABLE


@pytest.mark.parametrize("content", ["{", "[]", '{"desk-1": 3}'])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "staff-passwords.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(StaffError, match="damaged"):
        read_hashes(path)


@pytest.mark.parametrize(
    ("staff", "password", "why"),
    [
        ("name with spaces", "long enough", "--staff"),
        ("desk-1", "short", "8 to 128"),
        ("", "long enough", "--staff"),
    ],
)
def test_what_is_no_password_is_refused(tmp_path: Path, staff: str, password: str, why: str) -> None:
    with pytest.raises(StaffError, match=why):
        set_password(tmp_path / "file", staff, password)
    assert not (tmp_path / "file").exists()


def test_the_command_asks_twice_and_refuses_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["long enough", "long enuogh", "long enough", "long enough"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    ask = ["--state", str(tmp_path), "staff-password", "--staff", "desk-1"]
    assert command_line.main(ask) == 2
    assert "differ" in capsys.readouterr().err
    assert command_line.main(ask) == 0
    assert command_line.main([*ask, "--remove"]) == 0
    assert command_line.main([*ask, "--remove"]) == 2
    assert read_hashes(tmp_path / "staff-passwords.json") == {}


# --- On a bench ---------------------------------------------------------------------------------------------------


WITHIN_S = 25.0
"""Longer than the server may be asked for (15 s), on a machine that does much else."""


class Desk(VisitDriver):
    """Watches what the counter is told on a bench."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.views: list[VisualView | None] = []
        self._photo = threading.Event()
        self.terminal.subscribe_visual(self._viewed)

    def _viewed(self, view: VisualView | None) -> None:
        self.views.append(view)
        if view is not None:
            self._photo.set()

    def now_in(self, state: State) -> None:
        self.wait_at_rest(state, WITHIN_S)

    def wait_for_photo(self) -> VisualView:
        assert self._photo.wait(10)
        view = self.views[-1]
        assert view is not None
        return view

    def start(self, password: str, visit: str | None = None) -> StaffAnswer:
        answers: queue.SimpleQueue[StaffAnswer] = queue.SimpleQueue()
        self._photo.clear()
        seen = self.terminal.snapshot.visit if visit is None else visit
        self.terminal.start_visual(seen, STAFF, bytearray(password.encode()), answers.put)
        return answers.get(timeout=10)


@pytest.fixture(scope="module")
def desk(made_state: Path) -> Iterator[Desk]:
    with Bench(config.load(), made_state, person=load_person("age45")) as bench:
        yield Desk(bench)


@pytest.fixture
def choosing(desk: Desk) -> Iterator[Desk]:
    """A patient with the card in, who does not know how to go on."""
    desk.now_in(State.WAITING)
    desk.bench.insert()
    desk.now_in(State.METHOD_CHOICE)
    yield desk
    desk.bench.remove()
    desk.now_in(State.WAITING)


def test_the_photo_is_shown_while_staff_compare_and_wiped_after(choosing: Desk) -> None:
    assert choosing.start(STAFF_PASSWORD).verdict is Verdict.RIGHT
    view = choosing.wait_for_photo()
    assert view.visit == choosing.terminal.snapshot.visit
    assert view.photo is not None and view.photo.std() > 10
    assert "photo" not in repr(view)
    choosing.terminal.submit(flow.StaffRefuseVisual())
    choosing.now_in(State.METHOD_CHOICE)
    assert choosing.views[-1] is None
    assert not view.photo.any()


def test_a_card_pulled_during_the_comparison_takes_the_photo_away(choosing: Desk) -> None:
    choosing.start(STAFF_PASSWORD)
    view = choosing.wait_for_photo()
    choosing.bench.remove()
    choosing.now_in(State.WAITING)
    assert choosing.views[-1] is None
    assert view.photo is not None and not view.photo.any()


def test_staff_who_compared_are_named_in_the_servers_audit(choosing: Desk) -> None:
    choosing.start(STAFF_PASSWORD)
    choosing.now_in(State.VISUAL_CHECK)
    choosing.terminal.submit(flow.StaffConfirmVisual("pin-forgotten"))
    choosing.now_in(State.CONSENT)
    assert choosing.terminal.snapshot.identity == "visual"
    visit = choosing.terminal.snapshot.visit
    bench = choosing.bench
    auditor = EligibilityClient(Server(url=bench.server.url), bench.authority.enrol_auditor())
    told = [(entry.staff, entry.reason) for entry in auditor.audit() if entry.visit_id == visit]
    auditor.close()
    assert (STAFF, "pin-forgotten") in told


def test_a_wrong_password_shows_nothing_and_is_told(choosing: Desk) -> None:
    shown = len(choosing.views)
    assert choosing.start("not the password").verdict is Verdict.WRONG
    assert choosing.terminal.snapshot.state == "METHOD_CHOICE"
    assert len(choosing.views) == shown
    # The right one, so that the next test does not wait for the miss of this one.
    assert choosing.start(STAFF_PASSWORD).verdict is Verdict.RIGHT
    choosing.now_in(State.VISUAL_CHECK)


def test_a_password_typed_for_a_visit_that_is_over_begins_nothing(choosing: Desk) -> None:
    assert choosing.start(STAFF_PASSWORD, "the visit before").verdict is Verdict.RIGHT
    choosing.terminal.submit(flow.Choose(flow.Method.PIN))
    choosing.now_in(State.PIN_ENTRY)
    assert choosing.views[-1] is None


# --- What outside attacks found ---------------------------------------------------------------------------------


def test_passwords_set_by_eight_processes_at_once_are_all_kept(tmp_path: Path) -> None:
    """Of 16 ids, 2 were kept."""
    path = staff_file(tmp_path)
    program = "import sys; from pathlib import Path; from reception.terminal.staff import set_password\n"
    program += "for name in sys.argv[2:]: set_password(Path(sys.argv[1]), name, 'right password')"
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(path), f"desk-{number}", f"night-{number}"])
        for number in range(8)
    ]
    assert [each.wait(60) for each in running] == [0] * 8
    assert len(read_hashes(path)) == 16


def test_a_restart_gives_no_new_guesses(tmp_path: Path) -> None:
    kept = KeptMisses(misses_file(tmp_path))

    def guess() -> Verdict:
        return asked(Staff(lambda: HASHES, Clock(), kept), "wrong password").verdict

    assert [guess() for _ in range(4)] == [Verdict.WRONG] * 3 + [Verdict.WAIT]
    assert asked(Staff(lambda: HASHES, Clock(), kept), "right password").verdict is Verdict.WAIT
    assert misses_file(tmp_path).stat().st_mode & 0o77 == 0


def test_a_right_password_ends_the_count_also_in_the_file(tmp_path: Path) -> None:
    kept = KeptMisses(misses_file(tmp_path))
    staff = Staff(lambda: HASHES, Clock(), kept)
    assert asked(staff, "wrong password").verdict is Verdict.WRONG
    assert asked(staff, "right password").verdict is Verdict.RIGHT
    assert kept.read() == 0


@pytest.mark.parametrize(
    "content",
    [
        '{"desk-1": "no hash"}',
        '{"desk-1": "$argon2id$v=19$m=4294967295,t=3,p=4$c29tZXNhbHQ$aGFzaA"}',
        '{"desk-1": "$argon2id$v=19$m=x,t=3,p=4$c29tZXNhbHQ$aGFzaA"}',
        '{"desk-1": "\\u5c71\\u7530"}',
        '{"desk-1": 1}',
        "[" * 100_000,
        "9" * 5000,
        "\x00",
    ],
)
def test_a_malformed_file_of_hashes_is_told_and_opens_nothing(tmp_path: Path, content: str) -> None:
    path = staff_file(tmp_path)
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(StaffError, match="is damaged"):
        read_hashes(path)
    assert asked(Staff(lambda: read_hashes(path), Clock()), "right password").verdict is Verdict.UNUSABLE


def test_a_link_or_a_pipe_in_place_of_the_hashes_is_told(tmp_path: Path) -> None:
    path = staff_file(tmp_path)
    os.mkfifo(path, 0o600)
    with pytest.raises(StaffError, match="is no file"):
        read_hashes(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(StaffError, match="cannot be read"):
        read_hashes(path)


def test_a_second_terminal_on_one_state_folder_is_refused_and_a_later_one_is_not(tmp_path: Path) -> None:
    with alone(tmp_path, "terminal-1"):
        with alone(tmp_path, "terminal-2"):
            pass
        with pytest.raises(StateError, match="terminal-1 runs already"), alone(tmp_path, "terminal-1"):
            pass
    with alone(tmp_path, "terminal-1"):
        pass
