import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reception.fleet.local import LocalError, LocalLink, LocalPort, socket_file
from reception.fleet.messages import Answer, Command, Kind, News, Verb, Verdict
from tests.support.counter import PERSON, Terminal, soon


class Program:
    """A counter program's end."""

    def __init__(self, path: Path) -> None:
        self.heard: list[News | Answer | None] = []
        self.link = LocalLink("terminal-1", path)
        self.link.start(lambda terminal, heard: self.heard.append(heard))

    def kinds(self) -> set[Kind]:
        return {each.kind for each in self.heard if isinstance(each, News)}

    def ask(self, verb: Verb, number: str, **arguments: str) -> Verdict:
        expires = datetime.now(UTC) + timedelta(seconds=10)
        soon(
            lambda: self.link.send("terminal-1", Command(number, verb, "desk-1", expires, arguments)),
            "no link",
        )
        found: list[Answer] = []

        def answered() -> bool:
            found.extend(each for each in self.heard if isinstance(each, Answer) and each.command == number)
            return bool(found)

        soon(answered, "no answer")
        return found[0].verdict


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return socket_file(tmp_path, "terminal-1")


def test_state_is_told_at_once_and_people_only_to_who_watches(terminal: Terminal, path: Path) -> None:
    with LocalPort(terminal.port, path):
        program = Program(path)
        try:
            terminal.comes()
            terminal.is_identified()
            soon(lambda: Kind.SNAPSHOT in program.kinds(), "nothing is told")
            assert program.ask(Verb.TODAY, "1") is Verdict.DONE
            assert Kind.PEOPLE not in program.kinds()
            assert program.ask(Verb.WATCH, "2", seconds="30") is Verdict.DONE
            soon(lambda: Kind.PEOPLE in program.kinds(), "people are not told")
            told = [
                each.content for each in program.heard if isinstance(each, News) and each.kind is Kind.PEOPLE
            ]
            assert told[-1][0]["name"] == PERSON.name
        finally:
            program.link.close()


def test_a_terminal_that_starts_anew_is_found_again(terminal: Terminal, path: Path) -> None:
    program = Program(path)
    try:
        for number in range(2):
            with LocalPort(terminal.port, path):
                soon(lambda: Kind.SNAPSHOT in program.kinds(), "nothing is told")
                assert program.ask(Verb.OPEN_DESK, f"{number}") is Verdict.DONE
            soon(lambda: program.heard[-1] is None, "its end is not told")
            program.heard.clear()
        assert not program.link.send("terminal-1", Command("9", "today", "-", datetime.now(UTC)))
    finally:
        program.link.close()


def test_the_socket_is_for_its_owner_and_only_one_terminal_has_it(terminal: Terminal, path: Path) -> None:
    with LocalPort(terminal.port, path):
        assert os.stat(path).st_mode & 0o077 == 0
        with pytest.raises(LocalError), LocalPort(terminal.port, path):
            pass
    assert not path.exists()


def test_a_socket_that_a_killed_terminal_left_is_replaced(terminal: Terminal, path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with LocalPort(terminal.port, path):
        assert path.is_socket()


@pytest.mark.parametrize("content", [b"\n", b"{}\n", b"\xff\xfe\n", b"x" * 600_000, b'{"id": 1}\n'])
def test_who_sends_something_else_is_let_go_and_others_stay(
    terminal: Terminal, path: Path, content: bytes
) -> None:
    with LocalPort(terminal.port, path):
        program = Program(path)
        try:
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.connect(str(path))
                stranger.settimeout(5)
                try:
                    stranger.sendall(content)
                    while stranger.recv(65_536):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
            assert program.ask(Verb.OPEN_DESK, "1") is Verdict.DONE
            assert "unknown" in [act.verdict for act in terminal.audit.newest()]
        finally:
            program.link.close()


def test_who_reads_nothing_does_not_hold_the_terminal_up(terminal: Terminal, path: Path) -> None:
    with LocalPort(terminal.port, path), socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(path))
        done = threading.Event()

        def visits() -> None:
            for _ in range(60):
                terminal.comes()
                terminal.is_identified()
                terminal.answers()
            done.set()

        threading.Thread(target=visits, daemon=True).start()
        assert done.wait(20)


@pytest.mark.expected_log("local-port failed with OSError and is begun anew")
def test_a_port_that_could_not_take_a_program_listens_again(
    terminal: Terminal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = LocalPort(terminal.port, path)
    taken, failed = port._server, threading.Event()

    class Failing:
        def accept(self) -> object:
            failed.set()
            monkeypatch.setattr(port, "_server", taken)
            raise OSError(24, "Too many open files")

        def __getattr__(self, name: str) -> object:
            return getattr(taken, name)

    monkeypatch.setattr(port, "_server", Failing())
    with port:
        assert failed.wait(5)
        program = Program(path)
        try:
            assert program.ask(Verb.WATCH, "1", seconds="5") is Verdict.DONE
        finally:
            program.link.close()


@pytest.mark.expected_log("local-link failed with RuntimeError and is begun anew")
def test_a_link_whose_listener_failed_listens_again(terminal: Terminal, path: Path) -> None:
    link, heard = LocalLink("terminal-1", path), threading.Event()
    calls: list[object] = []

    def hear(_terminal: str, news: object) -> None:
        calls.append(news)
        if len(calls) == 1:
            raise RuntimeError
        heard.set()

    with LocalPort(terminal.port, path):
        link.start(hear)
        try:
            assert heard.wait(10)
        finally:
            link.close()
