"""A bench that another program drives, as reception_pytest does: JSON lines over a socket that it hands over.

A process of its own, because the other program may have a ``config`` or ``tests`` of its own. Each line in is
``{"do": VERB, …}``, each line out ``{"ok": …}`` or ``{"error": text}``. The end of the socket ends everything.
"""

import json
import socket
import sys
from contextlib import ExitStack
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, cast, get_args

from config import ConfigError
from config.person import load_person
from consent.choices import ConsentAnswer
from consent.eligibility import EligibilityError
from consent.server import ServerError
from hardware.face.engine import FaceEngine
from reception import flow
from reception.flow import Method
from reception.testing import scenarios
from reception.testing.scenarios import real_bench
from reception.testing.testbench import Bench, BenchKind, BenchTrouble
from reception.testing.testbench.file import load_bench
from reception.testing.timing import FOLLOWED
from reception.testing.verbs import BUTTONS
from reception.testing.visit_driver import VisitDriver


class Refused(Exception):
    """What was asked for cannot be done; the text is for the person who wrote the test."""


class Remote:
    """One bench after the other with one face engine."""

    def __init__(self, kind: str, state: Path) -> None:
        self._name, self._state = kind, state
        self._plan = None if kind in get_args(BenchKind) else load_bench(Path(kind))
        self._ends = ExitStack()
        self._engine: FaceEngine | None = None
        self._driver: VisitDriver | None = None

    def answer(self, asked: dict[str, Any]) -> Any:
        """Do what a line asks for and return what to tell; raises Refused and the product's own errors."""
        verb = asked.pop("do", "")
        does = getattr(self, f"do_{verb}", None)
        if does is None:
            raise Refused(f"{verb!r}: there is no such verb")
        try:
            return does(**asked)
        except TypeError as error:
            raise Refused(f"{verb}: {error}") from None

    def close(self) -> None:
        """End the bench and the face engine."""
        self._ends.close()
        if self._engine is not None:
            self._engine.close()

    # --- Bench --------------------------------------------------------------------------------------------------

    def do_start(self, person: str, today: str, beside: str) -> None:
        """Start a bench for one test."""
        if self._plan and self._plan.real:
            raise Refused("a real card is used by scenario files only, which protect its PIN tries")
        kind = self._plan.simulated_kind if self._plan else cast(BenchKind, self._name)
        holder = load_person(person, Path(beside))
        bench = Bench(
            FOLLOWED.settings(),
            self._state,
            kind,
            # Others are got to know as they come: at a first start, the keys of all would be made beside the test.
            people=[holder],
            person=holder,
            today=date.fromisoformat(today) if today else scenarios.TODAY,
            engine=self._running_engine(),
            camera=self._plan.file.camera.real if self._plan else None,
        )
        self._driver = VisitDriver(self._ends.enter_context(bench))
        self._ends.callback(self._driver.close)

    def do_stop(self) -> None:
        """End the bench of a test."""
        self._driver = None
        self._ends.close()

    def do_play(self, path: str, today: str = "") -> Any:
        """Play a scenario file and return its result, as in the JSON of ``reception hil``."""
        unless_said = None if self._plan and self._plan.real else scenarios.TODAY
        day = date.fromisoformat(today) if today else None
        plays = [scenarios.load(Path(path), self._state, day, unless_said)]
        if self._plan is None:
            kind = cast(BenchKind, self._name)
            results = scenarios.play_all(plays, self._state, kind, engine=self._running_engine())
        else:
            with real_bench.opened(self._plan, plays) as opened:
                engine, camera = self._running_engine(), opened.camera
                results = scenarios.play_all(
                    opened.plays, self._state, opened.kind, camera=camera, engine=engine
                )
        return json.loads(scenarios.as_json(results))[0]

    def _running_engine(self) -> FaceEngine:
        if self._engine is None:
            self._engine = FaceEngine()
            self._engine.start()
        return self._engine

    # --- Terminal -----------------------------------------------------------------------------------------------

    def do_snapshot(self) -> dict[str, Any]:
        """Return what the terminal shows."""
        return asdict(self._running().terminal.snapshot)

    def do_wait(self, state: str, seconds: float) -> dict[str, Any]:
        """Wait for a state, entered anew since the last wait."""
        if state not in list(flow.State):
            raise Refused(f"{state!r} is no state; known: {', '.join(flow.State)}")
        driver = self._running()
        seen = driver.next_entry(state, seconds)
        if seen is None:
            now = driver.terminal.snapshot.state
            raise Refused(f"{state} was not reached within {seconds:g} s; the terminal shows {now}")
        return asdict(seen)

    def do_choose(self, method: str) -> None:
        """Choose a way to verify identity."""
        if method not in list(Method):
            raise Refused(f"{method!r} is no way; known: {', '.join(Method)}")
        self._running().terminal.submit(flow.Choose(Method(method)))

    def do_answer(self, value: str) -> None:
        """Answer the question that is shown."""
        if value not in list(ConsentAnswer):
            raise Refused(f"{value!r} is no answer; known: {', '.join(ConsentAnswer)}")
        self._running().terminal.submit(flow.Answer(ConsentAnswer(value)))

    def do_press(self, button: str) -> None:
        """Press a button."""
        if button not in BUTTONS:
            raise Refused(f"{button!r} is no button; known: {', '.join(BUTTONS)}")
        self._running().terminal.submit(BUTTONS[button])

    def do_type_pin(self, value: str) -> None:
        """Type a PIN and confirm it; "card": the right one."""
        if value != "card" and not (len(value) == 4 and value.isascii() and value.isdecimal()):
            raise Refused('a PIN is four digits, or "card"')
        self._running().type_pin(value)

    # --- Devices and server -------------------------------------------------------------------------------------

    def do_insert(self, person: str | None = None) -> None:
        """Put a card in."""
        self._running().bench.insert(person)

    def do_show(self, person: str) -> None:
        """Let another shipped person stand before the camera."""
        self._running().bench.show(load_person(person).id)

    def do_hand(self, hand: str, seconds: float = 0.0) -> None:
        """Have something done at a device."""
        bench = self._running().bench
        if hand not in bench.can:
            raise Refused(f"{hand}: this bench cannot do that")
        bench.do(hand, seconds)

    def do_tries(self) -> int | None:
        """Return the card's PIN tries left."""
        return self._running().bench.pin_tries_left()

    def do_server(self, switch: str) -> None:
        """Start or stop the server."""
        server = self._running().bench.server
        if switch == "start":
            server.start()
        else:
            server.stop()

    def do_fault(self, kind: str, always: bool = False) -> None:
        """Disturb the next request, or all; "none" ends it."""
        self._running().disturb_server(kind, always=always)

    def do_record(self, visit: str) -> dict[str, Any] | None:
        """Return what the server recorded for a visit; None when nothing."""
        driver = self._running()
        record = driver.bench.client.visit(visit or driver.terminal.snapshot.visit)
        if record is None or record.recorded_at is None:
            return None
        return {item.value: answer.value for item, answer in sorted(record.answers.items())}

    def _running(self) -> VisitDriver:
        if self._driver is None:
            raise Refused("no bench is running")
        return self._driver


def serve(connection: socket.socket, remote: Remote) -> None:
    """Answer lines until the other program closes the socket or dies."""
    with connection.makefile("rw", encoding="utf-8") as lines:
        for line in lines:
            try:
                told = {"ok": remote.answer(json.loads(line))}
            except (
                Refused,
                ConfigError,
                BenchTrouble,
                EligibilityError,
                ServerError,
                OSError,
                ValueError,
            ) as no:
                told = {"error": str(no)}
            lines.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")
            lines.flush()


def main() -> int:
    """Serve the socket whose number, bench and state folder stand on the command line."""
    number, kind, state = sys.argv[1:]
    with socket.socket(fileno=int(number)) as connection:
        try:
            remote = Remote(kind, Path(state))
        except (ConfigError, OSError) as error:
            connection.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
            return 2
        connection.sendall(b'{"ok": "ready"}\n')
        try:
            serve(connection, remote)
        except OSError:
            pass  # the other program is gone
        finally:
            remote.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
