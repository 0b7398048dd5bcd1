"""How each disturbance is made on a bench, and how it is undone."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from hardware import card
from reception import flow
from reception.flow import State
from reception.testing.matrix.rules import OFFERING, Disturbance, Kind
from reception.testing.timing import BROKEN_SERVER, FAST, TimingProfile
from reception.testing.verbs import Patient
from reception.testing.visit_driver import VisitDriver

D = Disturbance

A_DAY_S = 86_400.0
STALL_S = {"simulated": 0.8, "pcsc": 2.0}
"""Longer than a card may take for one answer on the benches where it stalls; see STALL_LIMIT_S."""
STALL_LIMIT_S = {"simulated": 0.3, "pcsc": 0.8}
HELD_S = 0.3
"""How long another program has the reader."""
SLOW_S = 4.0
"""How long a slow server's answer takes; longer than it is waited for on the benches where it is slow."""


@dataclass(frozen=True)
class FaultInjection:
    """One disturbance."""

    do: Callable[[VisitDriver, State], None]
    undo: Callable[[VisitDriver], None] = lambda driver: None
    leaves_to_do: bool = True
    """The patient, or whoever was held, has still to go on for anything to come of it."""


def _pull(driver: VisitDriver, state: State) -> None:
    driver.bench.slot.remove()
    driver.release()


def _swap(driver: VisitDriver, state: State) -> None:
    driver.hold(State.METHOD_CHOICE)
    driver.bench.slot.swap(driver.card("age75"))
    driver.release()


def _stall(driver: VisitDriver, state: State) -> None:
    if state is not State.READING:
        driver.bench.slot.stall(driver.stall_s)


def _kill_service(driver: VisitDriver, state: State) -> None:
    from hardware.simulation.pcscd import PcscdBench

    faults = driver.bench.faults
    if isinstance(faults, PcscdBench):
        faults.stop_service(kill=True)
    else:
        faults.stop_service()


def _start_service(driver: VisitDriver) -> None:
    # A driver whose reader fails does not come up.
    driver.bench.faults.plug()
    driver.bench.faults.start_service()


def _kill_engine(driver: VisitDriver, state: State) -> None:
    _start_engine(driver)
    pid = driver.bench.engine.pid
    assert pid is not None
    # It may be ending just now, and the terminal be about to start another.
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _start_engine(driver: VisitDriver) -> None:
    """The terminal does it by itself, a little later; a cell must begin with one that lives."""
    driver.bench.engine.revive()


def _slow(driver: VisitDriver, state: State) -> None:
    driver.bench.server.faults.delay_s = SLOW_S
    driver.bench.server.faults.always("slow_body")


def _clear(driver: VisitDriver) -> None:
    driver.bench.server.faults.clear()


def _jump(driver: VisitDriver, state: State) -> None:
    driver.bench.jump_clock(A_DAY_S)
    # Who else goes by that clock has looked at it before anything goes on.
    driver.wait_for_the_office()


def _tap_twice(driver: VisitDriver, state: State) -> None:
    tap = Patient().tap(state)
    assert tap is not None
    if state is State.PIN_ENTRY:
        driver.type_pin()
    elif state is State.ATTRIBUTE_SIGN:
        driver.type_password()
    else:
        driver.terminal.submit(tap)
    driver.terminal.submit(tap)


def _kill_terminal(driver: VisitDriver, state: State) -> None:
    driver.hold(State.METHOD_CHOICE)
    driver.restart()


def _plug_camera(driver: VisitDriver) -> None:
    driver.bench.do("plug_camera")


INJECTIONS: dict[Disturbance, FaultInjection] = {
    D.CARD_PULLED: FaultInjection(_pull, leaves_to_do=False),
    D.CARD_SWAPPED: FaultInjection(_swap, leaves_to_do=False),
    D.CARD_STALLED: FaultInjection(_stall, lambda driver: driver.bench.slot.stall(0)),
    D.EXCHANGE_LOST: FaultInjection(
        lambda driver, state: driver.bench.faults.lose_exchanges(1),
        lambda driver: driver.bench.faults.lose_exchanges(0),
    ),
    D.CARD_RESET: FaultInjection(lambda driver, state: driver.bench.faults.reset_card()),
    # Not undone: it strikes the next patient's card.
    D.POWER_UP_FAILS: FaultInjection(lambda driver, state: driver.bench.faults.fail_power_ups(1)),
    D.READER_HELD: FaultInjection(lambda driver, state: driver.bench.faults.hold(HELD_S)),
    D.READER_UNPLUGGED: FaultInjection(
        lambda driver, state: driver.bench.faults.unplug(), lambda driver: driver.bench.faults.plug()
    ),
    D.SERVICE_KILLED: FaultInjection(_kill_service, _start_service),
    D.CAMERA_UNPLUGGED: FaultInjection(lambda driver, state: driver.bench.do("unplug_camera"), _plug_camera),
    D.CAMERA_BLACK: FaultInjection(lambda driver, state: driver.bench.do("black_camera"), _plug_camera),
    D.CAMERA_FROZEN: FaultInjection(lambda driver, state: driver.bench.do("freeze_camera"), _plug_camera),
    D.ENGINE_KILLED: FaultInjection(_kill_engine, _start_engine),
    D.SERVER_DOWN: FaultInjection(
        lambda driver, state: driver.bench.server.stop(), lambda driver: driver.bench.server.start()
    ),
    D.SERVER_SLOW: FaultInjection(_slow, _clear),
    D.SERVER_GARBLED: FaultInjection(
        lambda driver, state: driver.bench.server.faults.always("garbage"), _clear
    ),
    D.ANSWER_LOST: FaultInjection(lambda driver, state: driver.bench.server.faults.always("drop"), _clear),
    D.FOLDER_FULL: FaultInjection(
        lambda driver, state: driver.bench.fill_folder(), lambda driver: driver.bench.empty_folder()
    ),
    D.CLOCK_JUMP: FaultInjection(_jump, lambda driver: driver.bench.jump_clock(-A_DAY_S)),
    D.CANCEL: FaultInjection(lambda driver, state: driver.terminal.submit(flow.Cancel())),
    D.TIME_OUT: FaultInjection(lambda driver, state: None, leaves_to_do=False),
    D.DOUBLE_TAP: FaultInjection(_tap_twice, leaves_to_do=False),
    D.CALL_STAFF: FaultInjection(lambda driver, state: driver.terminal.submit(flow.CallStaff())),
    D.TERMINAL_KILLED: FaultInjection(_kill_terminal, leaves_to_do=False),
}


STALLING = FAST.but()
LINGERING = FAST.but(delays={"farewell_s": 1.5})
"""The farewell lasts long enough for something to happen in it."""
WITH_BAD_SERVER = BROKEN_SERVER.but(delays={"settle_s": 3.0})
"""A slow answer may carry something for longer than it is waited for."""
_WAITS = ("reading", "choice", "pin", "phone", "visual", "question", "checking", "sending")
HASTY = TimingProfile(
    delays={
        **FAST.delays,
        **{f"{wait}_s": 1.5 for wait in _WAITS},
        "warning_s": 0.5,
        "reminder_s": 0.5,
        "settle_s": 3.0,
    },
    server={"connect_timeout_s": 1.0, "read_timeout_s": 1.0, "budget_s": 1.4},
    face={"time_limit_s": 1.0},
)
"""Nobody is waited for long."""


def timing_for(state: State, disturbance: Disturbance) -> TimingProfile:
    """Return the profile that a cell needs; cells with the same share one bench."""
    timing = _timing_for(state, disturbance)
    return _offering(timing) if state in OFFERING else timing


@cache
def _offering(timing: TimingProfile) -> TimingProfile:
    """Return a profile of a clinic that offers something once the visit is complete."""
    return timing.but(attributes={"offer": True, "items": ("address",), "ask_again_days": 0})


def _timing_for(state: State, disturbance: Disturbance) -> TimingProfile:
    if disturbance is D.TIME_OUT:
        return HASTY
    if state is State.COMPLETE:
        return LINGERING
    if disturbance is D.CARD_STALLED:
        return STALLING
    if disturbance in (D.SERVER_DOWN, D.SERVER_SLOW, D.SERVER_GARBLED, D.ANSWER_LOST):
        return WITH_BAD_SERVER
    return FAST


def stall_limit_s(timing: TimingProfile, kind: Kind) -> float:
    """Return how long a card may take for one answer on the bench of a profile."""
    return STALL_LIMIT_S[kind] if timing in (STALLING, _offering(STALLING)) else card.STALL_LIMIT_S
