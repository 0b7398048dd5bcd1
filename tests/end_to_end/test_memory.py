"""What a visit leaves in the memory of the terminal and of the face engine, read from outside: nothing."""

import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.person import load_person
from consent.server import EligibilityServer
from consent.server.certificates import Authority
from hardware.card import match_code_b
from hardware.simulation.portraits import card_photo, portrait_path
from reception.testing.testbench import clip_of, make_card
from tests.support.memory_terminal import MASK, be_terminal

PERSON = replace(load_person("age45"), name="記憶　無子", name_kana="ｷｵｸ ﾅｼｺ")
PERSON = replace(
    PERSON,
    id="memory",
    card=replace(PERSON.card, pin="7294"),
    insurance=replace(PERSON.insurance, number="90817263", symbol="55-66"),
)
CODE = match_code_b(PERSON.birth_date, PERSON.card.expires, PERSON.card.security_code)


class Remote:
    """The terminal's process, with the patient's card on this side."""

    def __init__(self, process: Any, orders: Any) -> None:
        self._process, self._orders = process, orders

    def __call__(self, *order: Any) -> Any:
        self._orders.send(order)
        return self._orders.recv() if order[0] not in ("digit", "end") else None


@pytest.fixture
def remote(made_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    # As ./run terminal sets it.
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.perturb=255:glibc.malloc.tcache_count=0")
    monkeypatch.setenv("PYTHONMALLOC", "malloc")
    authority = Authority(made_state)
    card = make_card(PERSON, authority)
    clip = clip_of(PERSON, made_state / "clips")
    context = multiprocessing.get_context("spawn")
    with EligibilityServer([PERSON], authority) as server:
        ours, orders = context.Pipe()
        here, line = context.Pipe()
        given = (orders, line, str(made_state), server.url, str(clip))
        process = context.Process(target=be_terminal, args=given)
        process.start()

        def serve() -> None:
            try:
                while True:
                    asked = here.recv_bytes()
                    here.send_bytes(CODE.encode() if asked == b"?" else card.process(asked))
            except (EOFError, OSError, TypeError):
                return  # the terminal is gone, or the test is over

        threading.Thread(target=serve, daemon=True).start()
        line.close()
        orders.close()
        made = Remote(process, ours)
        yield made
        made("end")
        process.join(20)
        process.kill()
        here.close()


def secrets() -> dict[str, bytes]:
    """Everything of the patient that must be gone, masked."""
    photo = card_photo(portrait_path(PERSON.card.photo))
    plain = {
        "photo, begin": photo[200:232],
        "photo, middle": photo[len(photo) // 2 : len(photo) // 2 + 32],
        "photo, end": photo[-40:-8],
        "name, as Python has it": PERSON.name.encode("utf-16-le"),
        "name, as the wire has it": PERSON.name.encode(),
        "number": PERSON.insurance.number.encode(),
        "match code": CODE.encode(),
        "PIN on its way to the card": bytes.fromhex("0020009804") + PERSON.card.pin.encode(),
    }
    return {name: bytes(each ^ MASK for each in secret) for name, secret in plain.items()}


@pytest.mark.timeout(180)
def test_nothing_of_a_patient_is_left_in_memory_after_a_visit(remote: Remote) -> None:
    """4,731 of the photo's 4,764 bytes lay in the engine 34 s after a visit, the name three times in the terminal."""
    masked = secrets()
    remote("in", "pin")
    read = remote("search", masked)["terminal"]
    for digit in PERSON.card.pin:
        remote("digit", int(digit))
    remote("confirm")
    during = remote("search", masked)["terminal"]
    # That the search finds what is there.
    assert read["photo, middle"] and during["name, as Python has it"] and during["number"]
    remote("answer")
    remote("in", "face")
    remote("answer")
    after = remote("search", masked)
    left = {who: {name: count for name, count in counts.items() if count} for who, counts in after.items()}
    assert left == {"terminal": {}, "engine": {}}
