"""A board's end of the broker: all terminals by one connection."""

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

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
    command_bytes,
    read_answer,
    read_news,
)
from reception.fleet.topics import (
    ANSWER,
    BEAT,
    KEEP_ALIVE_S,
    PRESENCE,
    PUBLISH,
    ROOT,
    Topic,
    client_of,
    command_topic,
    properties,
)
from reception.fleet.trust import (
    FleetError,
    Party,
    Untrusted,
    load_identity,
    party_of,
    sealed,
    signed,
    unsealed,
)

_log = logging.getLogger("reception.fleet")

COMMAND_LIFE_S = 20
MOST_TERMINALS = 5_000


class BoardLink:
    """Hears every terminal, and asks things of them; ``now`` of any steady clock. Raises FleetError."""

    def __init__(
        self,
        settings: Fleet,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._clock, self._now = settings, clock, now
        self._identity = load_identity(settings)
        if not self._identity.party.is_board:
            raise FleetError(
                f"[fleet] cert: {self._identity.party.id} is no board; see ./run certificates --board"
            )
        self._board = self._identity.party.id
        self._online: dict[str, bool] = {}
        self._parties: dict[str, Party] = {}
        self._offsets_s: dict[str, float] = {}
        self._silent_since: datetime | None = clock()
        self._lock = threading.Lock()
        self._heard: Callable[[str, News | Answer | None], None] = lambda *_: None
        client = self._client = client_of(settings, self._board)
        client.on_connect, client.on_message = self._connected, self._came
        client.on_disconnect = self._disconnected

    def start(self, heard: Callable[[str, News | Answer | None], None]) -> None:
        """Connect, in the background and again and again; call back with what is heard."""
        self._heard = heard
        host, port = self._settings.broker, self._settings.port
        self._client.connect_async(host, port, KEEP_ALIVE_S, clean_start=True)
        self._client.loop_start()

    def close(self) -> None:
        """End; may be called twice."""
        self._client.disconnect()
        self._client.loop_stop()

    def silent_since(self) -> datetime | None:
        """Return since when the broker cannot be reached; None: it can."""
        return self._silent_since

    def clock_offset_s(self, terminal: str) -> float:
        """Return by how much a terminal's clock is ahead of this one's, as last heard."""
        return self._offsets_s.get(terminal, 0.0)

    def send(self, terminal: str, command: Command) -> bool:
        """Hand a command on; False: there is no broker, or no certificate of the terminal."""
        party = self._parties.get(terminal)
        if party is None or not self._client.is_connected():
            return False
        purpose = f"command {terminal}"
        body = sealed(party.public_key, signed(self._identity, command_bytes(command), purpose), purpose)
        life = properties(PUBLISH, MessageExpiryInterval=COMMAND_LIFE_S)
        self._client.publish(command_topic(terminal, self._board), body, qos=1, properties=life)
        return True

    # --- The broker ---------------------------------------------------------------------------------------------

    def _connected(
        self, client: Client, _: object, flags: ConnectFlags, code: ReasonCode, _more: object
    ) -> None:
        if code.is_failure:
            _log.info("broker: %s", code)
            return
        self._silent_since = None
        client.subscribe(f"{ROOT}/+/state/#", options=SubscribeOptions(qos=1))

    def _disconnected(
        self, client: Client, _: object, flags: DisconnectFlags, code: ReasonCode, _more: object
    ) -> None:
        if self._silent_since is None:
            self._silent_since = self._clock()
        _log.info("broker: disconnected (%s)", code)
        for terminal in list(self._online):
            self._online[terminal] = False
            self._heard(terminal, None)

    def _came(self, client: Client, _: object, message: MQTTMessage) -> None:
        topic = Topic.read(message.topic, "state")
        if topic is None or topic.board not in ("", self._board):
            return
        if topic.terminal not in self._online and len(self._online) >= MOST_TERMINALS:
            return
        try:
            self._take(topic, bytes(message.payload), retained=message.retain)
        except (MessageError, Untrusted, ValueError, KeyError, TypeError) as error:
            _log.info("terminal %s: %s", topic.terminal, error)

    def _take(self, topic: Topic, payload: bytes, *, retained: bool) -> None:
        terminal = topic.terminal
        if topic.kind == PRESENCE:
            told = json.loads(payload)
            self._online[terminal] = told["online"] is True
            if not self._online[terminal]:
                self._heard(terminal, None)
            return
        if topic.kind == BEAT:
            self._set_clock(terminal, json.loads(payload)["at"])
            return
        if topic.kind == ANSWER:
            told = json.loads(payload)
            self._set_clock(terminal, told["at"])
            self._heard(terminal, read_answer(json.dumps(told["answer"]).encode()))
            return
        news = self._news(topic, payload)
        if news.kind != topic.kind:
            raise MessageError("news under another topic")
        if news.kind is Kind.ABOUT:
            self._know(terminal, news)
        self._heard(terminal, news)
        if retained and not self._online.get(terminal, True):
            # What a terminal said before it went away is still worth showing, as the past.
            self._heard(terminal, None)

    def _news(self, topic: Topic, payload: bytes) -> News:
        if topic.kind not in PERSONAL:
            return read_news(payload)
        if not topic.board:
            raise MessageError("personal news that is not sealed")
        return read_news(unsealed(self._identity, payload, f"{topic.kind} {topic.terminal} {self._board}"))

    def _know(self, terminal: str, news: News) -> None:
        party = party_of(str(news.content["certificate"]), self._identity.ca, self._clock())
        if party.id != terminal or news.content.get("terminal") != terminal:
            raise Untrusted("the certificate of another terminal")
        self._parties[terminal] = party

    def _set_clock(self, terminal: str, at: str) -> None:
        self._offsets_s[terminal] = (datetime.fromisoformat(at) - self._clock()).total_seconds()
