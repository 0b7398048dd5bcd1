"""Terminals and boards over a real broker: what arrives, what is refused, and what survives."""

import gc
import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config import Fleet as Settings
from reception import flow
from reception.counter.hub import Hub
from reception.fleet.board_side import BoardLink
from reception.fleet.messages import Command, Verb, Verdict, command_bytes
from reception.fleet.port import About, Port
from reception.fleet.terminal_side import HIDDEN, FleetPort
from reception.fleet.topics import client_of, command_topic, state_topic
from reception.fleet.trust import FleetError, load_identity, party_of, sealed, signed
from reception.flow import State
from reception.testing.fleet.broker import BOARD, Broker
from reception.testing.fleet.running import Fleet
from tests.support.counter import PERSON, Terminal, soon

pytestmark = [
    pytest.mark.skipif(
        shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None, reason="needs mosquitto"
    ),
    pytest.mark.timeout(120),
]

NAMES = ("terminal-1", "terminal-2")
OTHER_BOARD = "board-2"


class Remote(Terminal):
    """A terminal that tests play, on the broker."""

    def __init__(self, settings: Settings, name: str, ahead: timedelta = timedelta()) -> None:
        super().__init__(name)
        self.port.close()

        def clock() -> datetime:
            return datetime.now(UTC) + ahead

        self.port = Port(self.actor, self.office, About(name, "1"), self.audit, keep_s=1800, clock=clock)
        self.fleet = FleetPort(self.port, settings, clock=clock)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), NAMES, (BOARD, OTHER_BOARD)) as made:
        yield made


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def begins(ends: ExitStack, settings: Settings, name: str, ahead: timedelta = timedelta()) -> Remote:
    terminal = Remote(settings, name, ahead)
    ends.callback(terminal.close)
    ends.enter_context(terminal.fleet)
    return terminal


def board_of(ends: ExitStack, settings: Settings) -> tuple[Hub, BoardLink]:
    link = BoardLink(settings)
    hub = Hub([link], keep_s=1800)
    hub.start()
    ends.callback(hub.close)
    return hub, link


def shows(hub: Hub, name: str, state: State) -> Callable[[], bool]:
    def is_shown() -> bool:
        desk = hub.desk(name)
        return desk is not None and desk.is_heard and desk.snapshot.state == state

    return is_shown


@pytest.fixture
def terminal(ends: ExitStack, broker: Broker) -> Remote:
    return begins(ends, broker.settings("terminal", NAMES[0]), NAMES[0])


@pytest.fixture
def hub(ends: ExitStack, broker: Broker, terminal: Remote) -> Hub:
    made, _ = board_of(ends, broker.settings("board", BOARD))
    soon(shows(made, NAMES[0], State.WAITING), "the terminal is not on the board", 15)
    soon(lambda: bool(made.desk(NAMES[0]).about.get("certificate")), "it says nothing of itself")  # type: ignore[union-attr]
    return made


def ask(hub: Hub, verb: Verb, **arguments: str) -> Verdict:
    return hub.ask(NAMES[0], verb, "desk-1", arguments).result(10).verdict


class Announced:
    """A lock that says when it is asked for by another thread than the one that made this."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._own = threading.current_thread()
        self.asked = threading.Event()

    def __enter__(self) -> None:
        if threading.current_thread() is not self._own:
            self.asked.set()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_new_connection_holds_up_nobody_who_tells_news(terminal: Remote, hub: Hub) -> None:
    """The conductor's thread tells news by the port: it must not hang because the broker came back just then."""
    turn: Any = Announced(terminal.port._lock)
    terminal.port._lock = turn
    connects = threading.Thread(target=terminal.fleet._subscribed, daemon=True)
    with turn:
        # As whoever tells news has it, before the link to the broker is told.
        connects.start()
        assert turn.asked.wait(10)
        free = terminal.fleet._telling.acquire(timeout=5)
    assert free
    terminal.fleet._telling.release()
    connects.join(10)
    assert not connects.is_alive()


def test_a_visit_is_seen_and_people_only_while_somebody_looks(hub: Hub, terminal: Remote) -> None:
    visit = terminal.comes()
    terminal.is_identified()
    soon(shows(hub, NAMES[0], State.CONSENT), "the visit is not seen")
    desk = hub.desk(NAMES[0])
    assert desk is not None
    assert desk.board.whom(visit) is None
    stop = hub.watch(NAMES[0])
    soon(lambda: desk.board.whom(visit) is not None, "nobody is told")
    view = desk.board.whom(visit)
    assert view is not None
    assert view.name == PERSON.name
    soon(lambda: len(desk.entries) > 0, "today's visits are not told")
    stop()
    assert desk.board.whom(visit) is None


def test_commands_are_done_and_in_the_audit_with_who_asked(hub: Hub, terminal: Remote) -> None:
    visit = terminal.comes()
    assert ask(hub, Verb.SHOW_TEXT, visit=visit, text="coming") is Verdict.DONE
    assert terminal.actor.snapshot.staff_message == "coming"
    assert ask(hub, Verb.CANCEL, visit="another") is Verdict.LATE
    assert ask(hub, Verb.CANCEL, visit=visit) is Verdict.DONE
    acts = [(act.operator, act.act, act.verdict) for act in terminal.audit.newest()]
    assert acts[0] == ("desk-1", "cancel", "done")


@contextmanager
def stranger(settings: Settings, name: str) -> Iterator[Any]:
    """A client of this network that does what it should not; it collects what it can read."""
    client = client_of(settings, name)
    heard: list[tuple[str, bytes, bool]] = []
    connected, subscribed = threading.Event(), threading.Event()
    client.on_message = lambda c, u, m: heard.append((m.topic, bytes(m.payload), m.retain))
    client.on_connect = lambda *_: connected.set()
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect_async(settings.broker, settings.port)
    client.loop_start()
    assert connected.wait(10)
    client.subscribe("#", 1)
    assert subscribed.wait(10)
    client.heard = heard  # type: ignore[attr-defined]
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_terminal_can_neither_forge_nor_read_another_one(
    hub: Hub, terminal: Remote, broker: Broker
) -> None:
    before = hub.desk(NAMES[0])
    assert before is not None
    with stranger(broker.settings("terminal", NAMES[1]), NAMES[1]) as other:
        for kind in ("snapshot", "calls", "presence", "about", "people", "answer"):
            told = other.publish(state_topic(NAMES[0], kind), b'{"online": false, "at": "x"}', 1, retain=True)
            told.wait_for_publish(5)
        other.publish(command_topic(NAMES[0], BOARD), b"{}", 1).wait_for_publish(5)
        visit = terminal.comes()
        assert ask(hub, Verb.SHOW_TEXT, visit=visit, text="come") is Verdict.DONE
        assert not [topic for topic, _, _ in other.heard if f"/{NAMES[0]}/" in topic]
    assert before.is_heard
    assert before.snapshot.state == State.METHOD_CHOICE


def test_a_certificate_speaks_for_its_own_terminal_alone(broker: Broker) -> None:
    terminal = Terminal(NAMES[0])
    try:
        with pytest.raises(FleetError, match="terminal-2's, not terminal-1's"):
            FleetPort(terminal.port, broker.settings("terminal", NAMES[1]))
        with pytest.raises(FleetError, match="is no board"):
            BoardLink(broker.settings("terminal", NAMES[0]))
        mixed = replace(broker.settings("board", BOARD), key=broker.settings("terminal", NAMES[0]).key)
        with pytest.raises(FleetError, match="does not belong"):
            BoardLink(mixed)
    finally:
        terminal.close()


def test_forged_replayed_expired_and_unknown_commands_are_refused_and_in_the_audit(
    terminal: Remote, hub: Hub, broker: Broker
) -> None:
    settings = broker.settings("board", OTHER_BOARD)
    identity, topic = load_identity(settings), command_topic(NAMES[0], OTHER_BOARD)
    desk = hub.desk(NAMES[0])
    assert desk is not None
    party = party_of(desk.about["certificate"], identity.ca, datetime.now(UTC))
    purpose = f"command {NAMES[0]}"

    def message(
        verb: str, number: str, seconds: float = 10, *, purpose: str = purpose, by: Any = identity
    ) -> bytes:
        expires = datetime.now(UTC) + timedelta(seconds=seconds)
        command = command_bytes(Command(number, verb, "desk-9", expires, {}))
        return sealed(party.public_key, signed(by, command, purpose), purpose)

    as_terminal = load_identity(broker.settings("terminal", NAMES[1]))
    good = message("close-desk", "once")
    sent = {
        "done": good,
        "replayed": good,
        "expired": message("open-desk", "old", -5),
        "unknown": message("shutdown", "odd"),
        "forged, of another terminal": message("open-desk", "a", purpose=f"command {NAMES[1]}"),
        "forged, signed by a terminal": message("open-desk", "b", by=as_terminal),
        "forged, no message": b"{}",
        "forged, changed": good[:-1] + bytes([good[-1] ^ 1]),
    }
    with stranger(settings, OTHER_BOARD) as other:
        for payload in sent.values():
            other.publish(topic, payload, 1).wait_for_publish(5)
        soon(lambda: len(terminal.audit.newest()) >= len(sent), "not all are in the audit")
    verdicts = [act.verdict for act in reversed(terminal.audit.newest())]
    assert verdicts == [each.partition(",")[0] for each in sent]
    assert not terminal.actor.snapshot.desk_open


def test_nothing_personal_is_kept_by_the_broker_or_travels_in_clear(
    terminal: Remote, hub: Hub, broker: Broker
) -> None:
    with stranger(broker.settings("board", OTHER_BOARD), OTHER_BOARD) as other:
        stop = hub.watch(NAMES[0])
        visit = terminal.comes()
        terminal.is_identified()
        desk = hub.desk(NAMES[0])
        assert desk is not None
        soon(lambda: desk.board.whom(visit) is not None, "nobody is told")
        assert ask(hub, Verb.REGISTER_CHART, visit=visit, number="CHART-77") is Verdict.DONE
        terminal.answers()
        soon(lambda: any("/people/" in topic for topic, _, _ in other.heard), "nothing was heard")
        stop()
        secrets = [PERSON.name, PERSON.name_kana, PERSON.insurance.number, "CHART-77", "1980-06-17"]
        for topic, payload, _ in other.heard:
            text = payload.decode("utf-8", "replace")
            assert not [each for each in secrets if each in text], topic
    with stranger(broker.settings("board", OTHER_BOARD), OTHER_BOARD) as later:
        soon(
            lambda: any(kept and topic.endswith("1/state/snapshot") for topic, _, kept in later.heard),
            "no snapshot is retained",
        )
        kept = [topic for topic, _, retained in later.heard if retained]
        (snapshot,) = [
            json.loads(body) for topic, body, _ in later.heard if topic.endswith("1/state/snapshot")
        ]
        assert {name: snapshot["content"][name] for name in HIDDEN} == HIDDEN
        assert not [topic for topic in kept if "people" in topic or "photo" in topic or "command" in topic]


def test_the_broker_dies_in_mid_visit_and_the_visit_goes_on_and_the_picture_is_right_afterwards(
    terminal: Remote, hub: Hub, broker: Broker
) -> None:
    terminal.comes()
    soon(shows(hub, NAMES[0], State.METHOD_CHOICE), "the visit is not seen")
    broker.stop(signal.SIGKILL)
    desk = hub.desk(NAMES[0])
    assert desk is not None
    soon(lambda: not desk.is_heard, "the board does not notice", 10)
    assert desk.silent_since is not None
    assert ask(hub, Verb.OPEN_DESK) is Verdict.UNREACHABLE
    terminal.is_identified()
    terminal.answers()
    assert terminal.actor.snapshot.completed
    broker.start()
    soon(lambda: desk.is_heard and desk.tally.completed == 1, "the picture is not right afterwards", 20)
    soon(lambda: desk.snapshot.completed == terminal.actor.snapshot.completed, "another state")


def test_what_a_broker_died_without_acknowledging_does_not_come_after_what_is_newer(
    terminal: Remote, hub: Hub, broker: Broker, ends: ExitStack
) -> None:
    terminal.comes()
    soon(shows(hub, NAMES[0], State.METHOD_CHOICE), "the visit is not seen")
    os.kill(broker.process_id, signal.SIGSTOP)
    terminal.is_identified()
    broker.stop(signal.SIGKILL)
    soon(lambda: not terminal.fleet._client.is_connected(), "the terminal does not notice", 10)
    terminal.answers()
    assert terminal.state is State.COMPLETE
    broker.start()
    soon(shows(hub, NAMES[0], State.COMPLETE), "an old state")
    # All that the terminal had to send, what was not acknowledged before included, has come by now.
    assert ask(hub, Verb.OPEN_DESK) is Verdict.DONE
    soon(lambda: not terminal.fleet._client._out_messages, "something is not acknowledged")
    later, _ = board_of(ends, broker.settings("board", BOARD))
    for board in (hub, later):
        soon(shows(board, NAMES[0], terminal.state), "an old state")


def test_staff_who_look_on_are_told_who_came_while_the_broker_was_away(
    terminal: Remote, hub: Hub, broker: Broker
) -> None:
    desk = hub.desk(NAMES[0])
    assert desk is not None
    stop = hub.watch(NAMES[0])
    visit = terminal.comes()
    soon(shows(hub, NAMES[0], State.METHOD_CHOICE), "the visit is not seen")
    broker.stop(signal.SIGKILL)
    soon(lambda: not (desk.is_heard or terminal.fleet._client.is_connected()), "nobody notices", 10)
    terminal.is_identified()
    broker.start()
    soon(lambda: desk.board.whom(visit) is not None, "nobody is told")
    stop()


def test_a_board_that_starts_anew_has_everything_at_once(
    terminal: Remote, hub: Hub, broker: Broker, ends: ExitStack
) -> None:
    terminal.comes()
    terminal.calls()
    soon(lambda: len(hub.desk(NAMES[0]).calls) == 1, "the call is not heard")  # type: ignore[union-attr]
    hub.close()
    again, link = board_of(ends, broker.settings("board", BOARD))
    soon(shows(again, NAMES[0], State.CALL_STAFF), "the state is not there")
    soon(lambda: len(again.desk(NAMES[0]).calls) == 1, "the call is lost")  # type: ignore[union-attr]
    assert link.silent_since() is None


def test_a_terminal_that_goes_away_is_told_and_its_last_will_speaks_when_it_is_killed(
    terminal: Remote, hub: Hub
) -> None:
    desk = hub.desk(NAMES[0])
    assert desk is not None
    connection = terminal.fleet._client.socket()
    assert connection is not None
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
    soon(lambda: not desk.is_heard, "its will does not speak")
    soon(lambda: desk.is_heard, "it does not come back", 10)


def test_a_terminal_whose_clock_is_an_hour_ahead_is_helped_and_the_board_says_so(
    broker: Broker, ends: ExitStack
) -> None:
    terminal = begins(ends, broker.settings("terminal", NAMES[0]), NAMES[0], timedelta(hours=1))
    hub, link = board_of(ends, broker.settings("board", BOARD))
    soon(shows(hub, NAMES[0], State.WAITING), "the terminal is not on the board", 15)
    terminal.fleet.beat()
    soon(lambda: abs(link.clock_offset_s(NAMES[0]) - 3600) < 5, "its clock is not known")
    assert ask(hub, Verb.CLOSE_DESK) is Verdict.DONE
    assert not terminal.actor.snapshot.desk_open


class Cable:
    """A way to the broker that can be cut, without an end of the connection that either side sees."""

    def __init__(self, port: int) -> None:
        self._to, self.is_cut = port, threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while content := one.recv(65_536):
                if not self.is_cut.is_set():
                    other.sendall(content)
        with suppress(OSError):
            other.close()

    def close(self) -> None:
        self._server.close()
        for each in self._open:
            each.close()


@pytest.mark.long
@pytest.mark.timeout(240)
# paho leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_network_that_is_cut_for_a_minute_is_told_and_healed(broker: Broker, ends: ExitStack) -> None:
    cable = Cable(broker.port)
    ends.callback(cable.close)
    through = replace(broker.settings("terminal", NAMES[0]), port=cable.port)
    terminal = begins(ends, through, NAMES[0])
    hub, _ = board_of(ends, broker.settings("board", BOARD))
    soon(shows(hub, NAMES[0], State.WAITING), "the terminal is not on the board", 15)
    desk = hub.desk(NAMES[0])
    assert desk is not None
    terminal.comes()
    soon(shows(hub, NAMES[0], State.METHOD_CHOICE), "the visit is not seen")
    cable.is_cut.set()
    terminal.is_identified()
    terminal.answers()
    soon(lambda: not desk.is_heard, "the board does not notice", 60)
    threading.Event().wait(30)
    cable.is_cut.clear()
    soon(lambda: desk.is_heard and desk.tally.completed == 1, "it does not come back", 60)
    assert desk.snapshot.completed == terminal.actor.snapshot.completed
    ends.close()
    # Here, where it is forgiven.
    gc.collect()


def test_many_terminals_are_shown_and_none_is_lost(tmp_path: Path, ends: ExitStack) -> None:
    names = [f"terminal-{number}" for number in range(1, 13)]
    broker = ends.enter_context(Broker(tmp_path, names, one_key=True))
    hub, _ = board_of(ends, broker.settings("board", BOARD))
    fleet = ends.enter_context(Fleet(broker, names, visits_per_s=5, pace_s=0.05))
    soon(lambda: fleet.visits >= 20, "no visits", 30)
    fleet._stopping.set()

    def all_right() -> bool:
        found = [(hub.desk(name), actor) for name, actor in fleet.actors.items()]
        return all(
            desk is not None and desk.is_heard and desk.snapshot.state == actor.state for desk, actor in found
        )

    soon(all_right, "the board differs from the terminals", 10)


def test_a_session_of_the_flow_needs_no_broker(tmp_path: Path) -> None:
    broker = Broker(tmp_path, NAMES, one_key=True)
    terminal = Remote(broker.settings("terminal", NAMES[0]), NAMES[0])
    with terminal.fleet:
        terminal.comes()
        terminal.is_identified()
        terminal.answers()
        assert terminal.actor.snapshot.completed
        terminal.actor.submit(flow.MoreTime())
    terminal.close()
