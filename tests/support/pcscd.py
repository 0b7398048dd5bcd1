"""Benches for tests: the same reader in process, behind a pcscd of our own, and a real one with --bench FILE."""

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from hardware.card import CardReader, Presence
from hardware.card.pcsc import PcscReader
from hardware.simulation.pcscd import READER, BenchError, PcscdBench
from hardware.simulation.virtual_card import CardSlot, ReaderFaults, SmartCard, VirtualReader
from reception.testing.testbench import BenchTrouble, RealBench
from reception.testing.testbench.file import load_bench
from tests import conftest
from tests.support import cards


@dataclass(frozen=True)
class OwnCard:
    """What is known of the card that a bench may put in; on a real bench, its PIN is asked for once."""

    certificate_sha256: str
    pin: bytes
    match_code_b: str | None
    photo: bytes | None


class Bench:
    """A reader and the hand at it. ``patience_s``: how long a test waits for the hand."""

    patience_s = 5.0

    def __init__(self, reader: CardReader, slot: CardSlot, service: ReaderFaults) -> None:
        self.reader, self.slot, self.service = reader, slot, service

    def insert(self, card: SmartCard) -> None:
        """Put a card in and wait until the reader has seen it."""
        self.slot.insert(card)
        assert self.reader.wait_for_change(Presence.EMPTY, 5) != Presence.EMPTY

    def insert_own(self) -> OwnCard:
        """Put in the card that every bench has, and wait until the reader has seen it."""
        card = cards.card()
        self.insert(card)
        contents = card.contents
        sha256 = hashlib.sha256(contents.credentials.certificate).hexdigest()
        return OwnCard(sha256, contents.pin.encode("ascii"), contents.match_code_b, contents.photo_jp2)

    def remove(self) -> None:
        """Take the card out."""
        self.slot.remove()

    def pin_tries_left(self) -> int | None:
        """Return the PIN tries of the card that is in."""
        return self.slot.pin_tries_left()

    def lacks(self, what: str) -> bool:
        """Whether a test that needs this cannot run here."""
        return False

    def stop_service(self) -> None:
        """Stop the smart card service."""
        self.service.stop_service()

    def start_service(self) -> None:
        """Start it again."""
        self.service.start_service()


class BenchOfFile(Bench):
    """A real reader with a real card, by the hands of its operator."""

    patience_s = 120.0

    def __init__(self, real: RealBench) -> None:
        self._real, self.reader = real, real.reader

    def insert(self, card: SmartCard) -> None:
        raise AssertionError("this test must be marked: needs('virtual card')")

    def insert_own(self) -> OwnCard:
        self._real.do("insert_card")
        card = self._real.plan.file.card
        assert card
        return OwnCard(card.certificate_sha256, bytes(self._real.pin()), self._real.match_code_b(), None)

    def remove(self) -> None:
        self._real.do("remove_card")

    def pin_tries_left(self) -> int | None:
        return self._real.tries_left()

    def lacks(self, what: str) -> bool:
        return what not in self._real.can

    def stop_service(self) -> None:
        self._real.do("stop_reader_service")

    def start_service(self) -> None:
        self._real.do("start_reader_service")


@contextmanager
def real_bench(file: Path, *, allow_pin_miss: bool) -> Iterator[RealBench]:
    """Open the bench of a file and make sure of its card; its trouble is told by those who use it."""
    with RealBench(load_bench(file), allow_pin_miss=allow_pin_miss) as real:
        with suppress(BenchTrouble):
            real.prepare(pin=True, face=True)
        yield real


@contextmanager
def running_pcscd(port: int | None = None, *, faults: bool = False) -> Iterator[PcscdBench]:
    """A pcscd for one test. Skips where none can run; on Debian as root that is a failure."""
    if conftest.bench_file is not None:
        pytest.skip("--bench: the pcscd of this machine serves the real reader")
    bench = PcscdBench(port, faults=faults)
    try:
        bench.__enter__()
    except BenchError as error:
        if _must_work():
            raise
        pytest.skip(str(error))
    try:
        yield bench
    finally:
        bench.close()


def _must_work() -> bool:
    return platform.system() == "Linux" and os.geteuid() == 0 and Path("/etc/debian_version").exists()


@contextmanager
def bench_of_kind(kind: str, stall_limit_s: float = 5.0, *, faults: bool = False) -> Iterator[Bench]:
    """Set up a bench ``in process`` or behind ``pcscd``."""
    if kind == "in process":
        reader = VirtualReader(stall_limit_s=stall_limit_s)
        yield Bench(reader, reader.slot, reader)
    else:
        with running_pcscd(faults=faults) as pcscd:
            yield Bench(PcscReader(READER, stall_limit_s), pcscd.slot, pcscd)


BOTH_BENCHES = ("in process", "pcscd")
