import os
from pathlib import Path

import pytest

from reception.counter.sessions import (
    LONGEST_SESSION_S,
    Role,
    Sessions,
    Throttle,
    role_of,
    roles_file,
    set_role,
)


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_a_login_ends_when_it_is_not_used() -> None:
    clock = Clock()
    sessions = Sessions(60, clock)
    session = sessions.begin("desk-1", Role.CLERK, "ja")
    clock.at += 59
    assert sessions.find(session.token) is session
    sessions.use(session)
    clock.at += 59
    assert sessions.holds(session)
    clock.at += 2
    assert sessions.find(session.token) is None


def test_a_login_ends_after_half_a_day_however_it_is_used() -> None:
    clock = Clock()
    sessions = Sessions(LONGEST_SESSION_S * 2, clock)
    session = sessions.begin("desk-1", Role.CLERK, "ja")
    clock.at += LONGEST_SESSION_S
    sessions.use(session)
    assert not sessions.holds(session)


def test_a_locked_login_holds_nothing() -> None:
    sessions = Sessions(60, Clock())
    session = sessions.begin("desk-1", Role.CLERK, "ja")
    session.is_locked = True
    assert not sessions.holds(session)
    assert sessions.find(session.token) is session


def test_logins_do_not_grow_without_end() -> None:
    clock = Clock()
    sessions = Sessions(60, clock)
    first = sessions.begin("desk-1", Role.CLERK, "ja")
    for _ in range(300):
        clock.at += 0.01
        sessions.begin("desk-2", Role.CLERK, "ja")
    assert sessions.count() <= 200
    assert sessions.find(first.token) is None


def test_secrets_do_not_show_in_a_log() -> None:
    session = Sessions(60, Clock()).begin("desk-1", Role.CLERK, "ja")
    assert session.token not in repr(session)
    assert session.csrf not in repr(session)


def test_misses_are_kept_over_a_restart_and_end_with_the_right_password(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "misses.json"
    throttle = Throttle(path, clock)
    for _ in range(3):
        assert throttle.wait_s("staff a") == 0
        throttle.missed("staff a", "address 1")
    again = Throttle(path, clock)
    assert again.wait_s("staff a") == pytest.approx(30)
    assert again.wait_s("staff b", "address 1") == pytest.approx(30)
    assert again.wait_s("staff b") == 0
    clock.at += 31
    assert again.wait_s("staff a") == 0
    again.right("staff a")
    again.missed("staff a")
    assert Throttle(path, clock).wait_s("staff a") == 0
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"[]", b'{"staff a": 1}', b'{"staff a": ["x", []]}', b"\xff"])
def test_a_damaged_file_of_misses_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "misses.json"
    path.write_bytes(content)
    throttle = Throttle(path, Clock())
    assert throttle.wait_s("staff a") == 0
    throttle.missed("staff a")


def test_a_clock_set_back_makes_nobody_wait_for_days(tmp_path: Path) -> None:
    clock = Clock()
    throttle = Throttle(None, clock)
    for _ in range(3):
        throttle.missed("staff a")
    clock.at -= 1_000_000
    assert throttle.wait_s("staff a") <= 900


def test_roles_are_kept_for_the_owner_alone_and_a_damaged_file_raises_nobody(tmp_path: Path) -> None:
    path = roles_file(tmp_path)
    assert role_of(path, "desk-1") is Role.CLERK
    set_role(path, "desk-1", Role.ADMINISTRATOR)
    set_role(path, "desk-2", Role.ADMINISTRATOR)
    set_role(path, "desk-2", Role.CLERK)
    assert [role_of(path, each) for each in ("desk-1", "desk-2")] == [Role.ADMINISTRATOR, Role.CLERK]
    assert os.stat(path).st_mode & 0o077 == 0
    path.write_text("{", encoding="utf-8")
    assert role_of(path, "desk-1") is Role.CLERK
