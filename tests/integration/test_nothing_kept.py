"""No picture, chip or embedding of a patient can be reached in memory after a visit, however it ended."""

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config import load
from config.person import load_person
from hardware.face.engine import FaceEngine
from hardware.simulation.steerable_clip import SteerableClip
from reception import flow
from reception.flow import State
from reception.testing.testbench import Bench
from reception.testing.visit_driver import VisitDriver

Array = np.ndarray[Any, Any]


def of_a_face(array: Array) -> bool:
    """Whether an array may be a frame or a part of one, a chip or an embedding; models and tables are no such."""
    shape = tuple(side for side in array.shape if side != 1)
    picture = array.dtype == np.uint8 and len(shape) in (2, 3) and min(shape[:2]) >= 40
    return picture or (shape == (128,) and array.dtype.kind == "f")


def held() -> Iterator[tuple[str, Array]]:
    """Name and yield every such array that an object or a running function of this process holds.

    Arrays are not known to the garbage collector, but what holds them is: instances, generators, closures, containers;
    plain ones only by way of what holds them. Running functions are looked at thread by thread.
    """
    gc.collect()
    ahead = gc.get_objects()
    plain: set[int] = set()
    while ahead:
        thing = ahead.pop()
        for inside in gc.get_referents(thing):
            if isinstance(inside, np.ndarray):
                if of_a_face(inside):
                    yield f"{type(thing).__name__} holds {inside.shape}", inside
            elif type(inside) in (dict, tuple) and not gc.is_tracked(inside) and id(inside) not in plain:
                plain.add(id(inside))
                ahead.append(inside)
    for number, top in sys._current_frames().items():
        frame = top if number != threading.get_ident() else None
        while frame is not None:
            for name, value in frame.f_locals.items():
                if isinstance(value, np.ndarray) and of_a_face(value):
                    yield f"{frame.f_code.co_qualname}: {name} {value.shape}", value
            frame = frame.f_back


@pytest.fixture(scope="module")
def before() -> dict[int, Array]:
    """Arrays that other tests of this process hold; kept, so that no new one takes the place of one."""
    return {id(array): array for _, array in held()}


@pytest.mark.parametrize(
    "end", ["accepted", "card pulled", "camera unplugged", "camera black", "camera frozen"]
)
def test_nothing_of_a_face_can_be_reached_after_a_visit(
    engine: FaceEngine, made_state: Path, before: dict[int, Array], end: str
) -> None:
    settings = load(None)
    people = [load_person(name) for name in ("age45", "age75")]
    who = "age45" if end == "accepted" else "age75"
    with Bench(settings, made_state, people=people, today=date(2026, 4, 1), engine=engine) as bench:
        camera = bench.camera
        assert isinstance(camera, SteerableClip)
        bench.show(who)
        visit, previewed = VisitDriver(bench), threading.Event()
        bench.terminal.subscribe_frames(lambda image: previewed.set())
        assert visit.next_entry(State.WAITING, 20)
        bench.insert()
        assert visit.next_entry(State.METHOD_CHOICE, 20)
        if end == "camera black":
            camera.black()
        if end == "camera frozen":
            camera.freeze()
        bench.terminal.submit(flow.Choose(flow.Method.FACE))
        assert visit.next_entry(State.FACE_MATCH, 20)
        if end == "accepted":
            assert visit.next_entry(State.CONSENT, 20)
        else:
            assert previewed.wait(10)
            if end == "camera unplugged":
                camera.unplug()
            if end.startswith("camera"):
                assert visit.next_entry(State.METHOD_CHOICE, 20)
                assert "FACE_CAMERA_LOST" in {seen.failure for seen in visit.log}
        bench.remove()
        assert visit.next_entry(State.WAITING, 20)
        camera.plug()
        # The card's power-off wipes, and the face's worker may be at its last frame still: these queue behind them.
        jobs = bench.terminal._jobs
        assert jobs is not None
        for lane in ("card", "face"):
            jobs._lanes[lane].submit(int).result(10)
        assert previewed.is_set()
        # A look at the camera ends at once, and none begins meanwhile.
        jobs._camera_health.stop()
        with jobs._camera_health._camera:
            assert [name for name, array in held() if id(array) not in before] == []


def test_a_photo_embedded_ahead_is_forgotten_by_the_engine_when_the_visit_ends_without_a_match(
    engine: FaceEngine, made_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        whole = getattr(engine, name)

        def ask(*given: Any) -> Any:
            asked.append(name)
            return whole(*given)

        return ask

    for name in ("embed_photo", "forget"):
        monkeypatch.setattr(engine, name, noted(name))
    people = [load_person("age45")]
    with Bench(load(None), made_state, people=people, today=date(2026, 4, 1), engine=engine) as bench:
        visit = VisitDriver(bench)
        visit.wait_at_rest()
        visit.begin(visit.card(), hold=State.METHOD_CHOICE)
        visit.wait(State.METHOD_CHOICE)
        bench.remove()
        visit.wait_at_rest()
        jobs = bench.terminal._jobs
        assert jobs is not None
        for lane in ("card", "face"):
            jobs._lanes[lane].submit(int).result(10)
        assert asked == ["embed_photo", "forget"]


def test_what_is_held_would_be_found() -> None:
    kept = [{"frame": np.zeros((480, 640, 3), np.uint8)}, (np.zeros(128),)]
    found = [name for name, _ in held()]
    assert "dict holds (480, 640, 3)" in found
    assert "tuple holds (128,)" in found
    assert kept
