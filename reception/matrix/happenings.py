"""How each disturbance is made on a bench, and how it is undone."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from consent.choices import ConsentAnswer
from reception import flow
from reception.flow import Method, State
from reception.matrix.rules import Disturbance, Kind
from reception.matrix.stage import Stage

D = Disturbance

A_DAY_S = 86_400.0
STALL_S = {"simulated": 0.8, "pcsc": 2.0}
"""Longer than a card may take for one answer on the benches where it stalls; see STALL_LIMIT_S."""
STALL_LIMIT_S = {"simulated": 0.3, "pcsc": 0.8}
SLOW_S = 4.0
"""How long a slow server's answer takes; longer than it is waited for on the benches where it is slow."""


@dataclass(frozen=True)
class Happening:
    """One disturbance."""

    do: Callable[[Stage, State], None]
    undo: Callable[[Stage], None] = lambda stage: None
    leaves_to_do: bool = True
    """The patient, or whoever was held, has still to go on for anything to come of it."""


def _pull(stage: Stage, state: State) -> None:
    stage.bench.slot.remove()
    stage.release()


def _swap(stage: Stage, state: State) -> None:
    stage.hold(State.METHOD_CHOICE)
    stage.bench.slot.swap(stage.card("age75"))
    stage.release()


def _stall(stage: Stage, state: State) -> None:
    if state is not State.READING:
        stage.bench.slot.stall(stage.stall_s)


def _kill_service(stage: Stage, state: State) -> None:
    from hardware.pcscd_bench import PcscdBench

    faults = stage.bench.faults
    if isinstance(faults, PcscdBench):
        faults.stop_service(kill=True)
    else:
        faults.stop_service()


def _start_service(stage: Stage) -> None:
    # A driver whose reader fails does not come up.
    stage.bench.faults.plug()
    stage.bench.faults.start_service()


def _kill_engine(stage: Stage, state: State) -> None:
    _start_engine(stage)
    pid = stage.bench.engine.pid
    assert pid is not None
    # It may be ending just now, and the terminal be about to start another.
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _start_engine(stage: Stage) -> None:
    """The terminal does it by itself, a little later; a cell must begin with one that lives."""
    stage.bench.engine.revive()


def _slow(stage: Stage, state: State) -> None:
    stage.bench.server.faults.delay_s = SLOW_S
    stage.bench.server.faults.always("slow_body")


def _clear(stage: Stage) -> None:
    stage.bench.server.faults.clear()


def _jump(stage: Stage, state: State) -> None:
    stage.bench.jump_clock(A_DAY_S)
    # Who else goes by that clock has looked at it before anything goes on.
    stage.wait_for_the_office()


def _tap_twice(stage: Stage, state: State) -> None:
    tapped: dict[State, flow.Event] = {
        State.METHOD_CHOICE: flow.Choose(Method.PIN),
        State.PIN_ENTRY: flow.PinSubmit(),
        State.VISUAL_CHECK: flow.StaffConfirmVisual("other"),
        State.CARD_USE_OFFER: flow.AnswerCardUse(ConsentAnswer.GIVEN),
        State.LIMIT_CONSENT: flow.Answer(ConsentAnswer.GIVEN),
    }
    if state is State.PIN_ENTRY:
        stage.type_pin()
    else:
        stage.terminal.submit(tapped[state])
    stage.terminal.submit(tapped[state])


def _kill_terminal(stage: Stage, state: State) -> None:
    stage.hold(State.METHOD_CHOICE)
    stage.restart()


def _plug_camera(stage: Stage) -> None:
    stage.bench.do("plug_camera")


HAPPENINGS: dict[Disturbance, Happening] = {
    D.CARD_PULLED: Happening(_pull, leaves_to_do=False),
    D.CARD_SWAPPED: Happening(_swap, leaves_to_do=False),
    D.CARD_STALLED: Happening(_stall, lambda stage: stage.bench.slot.stall(0)),
    D.READER_UNPLUGGED: Happening(
        lambda stage, state: stage.bench.faults.unplug(), lambda stage: stage.bench.faults.plug()
    ),
    D.SERVICE_KILLED: Happening(_kill_service, _start_service),
    D.CAMERA_UNPLUGGED: Happening(lambda stage, state: stage.bench.do("unplug_camera"), _plug_camera),
    D.CAMERA_BLACK: Happening(lambda stage, state: stage.bench.do("black_camera"), _plug_camera),
    D.CAMERA_FROZEN: Happening(lambda stage, state: stage.bench.do("freeze_camera"), _plug_camera),
    D.ENGINE_KILLED: Happening(_kill_engine, _start_engine),
    D.SERVER_DOWN: Happening(
        lambda stage, state: stage.bench.server.stop(), lambda stage: stage.bench.server.start()
    ),
    D.SERVER_SLOW: Happening(_slow, _clear),
    D.SERVER_GARBLED: Happening(lambda stage, state: stage.bench.server.faults.always("garbage"), _clear),
    D.ANSWER_LOST: Happening(lambda stage, state: stage.bench.server.faults.always("drop"), _clear),
    D.FOLDER_FULL: Happening(
        lambda stage, state: stage.bench.fill_folder(), lambda stage: stage.bench.empty_folder()
    ),
    D.CLOCK_JUMP: Happening(_jump, lambda stage: stage.bench.jump_clock(-A_DAY_S)),
    D.CANCEL: Happening(lambda stage, state: stage.terminal.submit(flow.Cancel())),
    D.TIME_OUT: Happening(lambda stage, state: None, leaves_to_do=False),
    D.DOUBLE_TAP: Happening(_tap_twice, leaves_to_do=False),
    D.CALL_STAFF: Happening(lambda stage, state: stage.terminal.submit(flow.CallStaff())),
    D.TERMINAL_KILLED: Happening(_kill_terminal, leaves_to_do=False),
}


class Temper:
    """How much patience a bench has; cells that need the same share one bench."""

    def __init__(self, **overrides: dict[str, float]) -> None:
        self.overrides = overrides

    def stall_limit_s(self, kind: Kind) -> float | None:
        return STALL_LIMIT_S[kind] if self is STALLING else None


PLAIN = Temper()
STALLING = Temper()
LINGERING = Temper(delays={"farewell_s": 1.5})
"""The farewell lasts long enough for something to happen in it."""
WITH_BAD_SERVER = Temper(
    delays={"settle_s": 3.0}, server={"connect_timeout_s": 0.8, "read_timeout_s": 0.8, "budget_s": 1.6}
)
_WAIT_S = 1.5
HASTY = Temper(
    delays={
        "warning_s": 0.5,
        "settle_s": 3.0,
        **{
            f"{wait}_s": _WAIT_S
            for wait in ("reading", "choice", "pin", "phone", "visual", "question", "checking", "sending")
        },
    },
    server={"connect_timeout_s": 1.0, "read_timeout_s": 1.0, "budget_s": 1.4},
    face={"time_limit_s": 1.0},
)
"""Nobody is waited for long."""


def temper_for(state: State, disturbance: Disturbance) -> Temper:
    """Return the bench that a cell needs."""
    if disturbance is D.TIME_OUT:
        return HASTY
    if state is State.COMPLETE:
        return LINGERING
    if disturbance is D.CARD_STALLED:
        return STALLING
    if disturbance in (D.SERVER_DOWN, D.SERVER_SLOW, D.SERVER_GARBLED, D.ANSWER_LOST):
        return WITH_BAD_SERVER
    return PLAIN
