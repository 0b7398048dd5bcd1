"""A terminal's end of the broker: its state to all boards, personal news to those whose staff watch it."""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from config import Fleet
from reception.fleet.messages import (
    PERSONAL,
    Answer,
    Command,
    Kind,
    MessageError,
    News,
    Verb,
    Verdict,
    answer_bytes,
    news_bytes,
    read_command,
)
from reception.fleet.port import Port, Watch
from reception.fleet.topics import (
    ANSWER,
    BEAT,
    BEAT_S,
    CONNECT,
    KEEP_ALIVE_S,
    PRESENCE,
    ROOT,
    Topic,
    client_of,
    properties,
    state_topic,
)
from reception.fleet.trust import (
    FleetError,
    Party,
    Untrusted,
    load_identity,
    opened,
    party_of,
    sealed,
    unsealed,
)
from reception.terminal.supervisor import Pulse, Supervisor

_log = logging.getLogger("reception.fleet")

SESSION_S = 24 * 3600
MOST_BOARDS = 16
HIDDEN = {
    "pin_digits": 0,
    "signing_characters": 0,
    "qr": "",
    "answers": [],
    "subsidy_number": 0,
    "subsidy_count": 0,
}
"""Parts of a snapshot that are nobody's business over a network, where the broker keeps it."""


@dataclass
class _Board:
    party: Party
    watch: Watch


class FleetPort:
    """Serves one terminal's port over the broker; between ``with`` and its end. Raises FleetError.

    The terminal works on whatever the broker does. ``drive`` runs the client's network work, by default in a thread of
    its own; it returns the way to stop it.
    """

    def __init__(
        self,
        port: Port,
        settings: Fleet,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        now: Callable[[], float] = time.monotonic,
        drive: Callable[[Client], Callable[[], None]] | None = None,
    ) -> None:
        self._port, self._settings, self._clock, self._now = port, settings, clock, now
        self._identity = load_identity(settings)
        self.terminal = port.about.terminal
        if self._identity.party.id != self.terminal:
            raise FleetError(f"[fleet] cert: is {self._identity.party.id}'s, not {self.terminal}'s")
        self._boards: dict[str, _Board] = {}
        self._snapshot: Any = None
        self._telling = threading.RLock()
        """Held while the broker is told: a state of before a new connection must not come after a newer one."""
        self._drive = drive
        self._lock = threading.Lock()
        self._ends = contextlib.ExitStack()
        client = self._client = client_of(settings, self.terminal)
        client.will_set(
            state_topic(self.terminal, PRESENCE), self._presence(online=False), qos=1, retain=True
        )
        client.on_connect, client.on_subscribe = self._connected, self._subscribed
        client.on_message, client.on_disconnect = self._came, self._disconnected

    def __enter__(self) -> "FleetPort":
        """Connect, in the background and again and again."""
        session = properties(CONNECT, SessionExpiryInterval=SESSION_S)
        host, port = self._settings.broker, self._settings.port
        self._client.connect_async(host, port, KEEP_ALIVE_S, clean_start=False, properties=session)
        self._ends.callback((self._drive or self._in_threads)(self._client))
        self._ends.callback(self._say_farewell)
        self._ends.callback(self._port.listen(self._hear))
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def _in_threads(self, client: Client) -> Callable[[], None]:
        def beats(pulse: Pulse) -> None:
            while not pulse.wait(BEAT_S):
                self.beat()

        supervisor = Supervisor()
        supervisor.loop("fleet-beat", beats)
        supervisor.start()
        client.loop_start()

        def stop() -> None:
            supervisor.end()
            client.loop_stop()
            supervisor.stop()

        return stop

    def beat(self) -> None:
        """Tell what time it is here."""
        self._publish(BEAT, json.dumps({"at": self._clock().isoformat()}).encode())

    def _presence(self, *, online: bool) -> bytes:
        return json.dumps({"online": online, "at": self._clock().isoformat()}).encode()

    def _say_farewell(self) -> None:
        if self._client.is_connected():
            told = self._publish(PRESENCE, self._presence(online=False), retain=True)
            if told is not None:
                with contextlib.suppress(RuntimeError, ValueError):
                    told.wait_for_publish(1.0)
        self._client.disconnect()

    # --- The broker ---------------------------------------------------------------------------------------------

    def _connected(
        self, client: Client, _: object, flags: ConnectFlags, code: ReasonCode, _more: object
    ) -> None:
        if code.is_failure:
            _log.info("broker: %s", code)
            return
        client.subscribe(f"{ROOT}/{self.terminal}/command/#", options=SubscribeOptions(qos=1))

    def _subscribed(self, *_: object) -> None:
        """Tell all that is present.

        Not at the connection: what an earlier broker never acknowledged is sent again only after that callback, and a
        state of then would come after the newest, and stay with the broker.
        """
        self._publish(PRESENCE, self._presence(online=True), retain=True)
        self.beat()
        with self._telling:
            self._snapshot = None
        # The port's lock before ours, as when it tells news: in the other order each would wait for the other for ever.
        self._port.tell_again(self._tell_everybody)

    def _disconnected(
        self, client: Client, _: object, flags: DisconnectFlags, code: ReasonCode, _more: object
    ) -> None:
        _log.info("broker: disconnected (%s)", code)

    def _publish(self, kind: str, payload: bytes, board: str = "", *, retain: bool = False) -> Any:
        if not self._client.is_connected():
            # Whatever is missed now is told whole as soon as the broker is back.
            return None
        return self._client.publish(state_topic(self.terminal, kind, board), payload, qos=1, retain=retain)

    # --- News ---------------------------------------------------------------------------------------------------

    def _hear(self, news: News) -> None:
        if news.kind in PERSONAL:
            for board in list(self._boards.values()):
                if board.watch.is_on:
                    self._tell(board.party, news)
        else:
            self._tell_everybody(news)

    def _tell_everybody(self, news: News) -> None:
        if news.kind not in PERSONAL:
            with self._telling:
                self._tell_all(news)

    def _tell_all(self, news: News) -> None:
        if news.kind is Kind.SNAPSHOT:
            if news.content is None:
                return
            content = {**news.content, **HIDDEN}
            seen = {**content, "number": 0}
            if seen == self._snapshot:
                return
            self._snapshot = seen
            news = News(news.kind, content)
        elif news.kind is Kind.ABOUT:
            news = News(news.kind, {**news.content, "certificate": self._identity.pem})
        self._publish(news.kind, news_bytes(news), retain=True)

    def _tell(self, board: Party, news: News) -> None:
        purpose = f"{news.kind} {self.terminal} {board.id}"
        self._publish(news.kind, sealed(board.public_key, news_bytes(news), purpose), board.id)

    # --- Commands -----------------------------------------------------------------------------------------------

    def _came(self, client: Client, _: object, message: MQTTMessage) -> None:
        topic = Topic.read(message.topic, "command")
        if topic is None or topic.terminal != self.terminal:
            return
        # Topic.kind is the board here; the broker lets only that board write there.
        try:
            party, command = self._understood(bytes(message.payload), topic.kind)
        except (Untrusted, MessageError) as error:
            _log.info("a command: %s", error)
            self._port.refused(topic.kind, Verdict.FORGED)
            return
        self._port.act(command, lambda answer: self._answered(party, command, answer))

    def _understood(self, payload: bytes, board: str) -> tuple[Party, Command]:
        purpose = f"command {self.terminal}"
        party, body = opened(unsealed(self._identity, payload, purpose), purpose, self._who)
        if not party.is_board or party.id != board:
            raise Untrusted("not signed by the board that sent it")
        return party, read_command(body)

    def _who(self, pem: str) -> Party:
        # A terminal whose clock is wrong must still be helped: the certificate is judged by the broker's TLS, too.
        return party_of(pem, self._identity.ca, self._clock())

    def _answered(self, board: Party, command: Command, answer: Answer) -> None:
        told = {"at": self._clock().isoformat(), "answer": json.loads(answer_bytes(answer))}
        self._publish(ANSWER, json.dumps(told, ensure_ascii=False).encode(), board.id)
        if command.verb == Verb.WATCH and answer.verdict is Verdict.DONE:
            self._watched(board, command.arguments["seconds"])

    def _watched(self, party: Party, seconds: str) -> None:
        with self._lock:
            if party.id not in self._boards and len(self._boards) >= MOST_BOARDS:
                return
            board = self._boards.setdefault(party.id, _Board(party, Watch(self._now)))
            began = not board.watch.is_on
            # Its newest certificate: a board that was given another one reads with that.
            board.party = party
            board.watch.ask(seconds)
        if began and board.watch.is_on:
            for kind in PERSONAL:
                self._tell(party, self._port.present(kind))
