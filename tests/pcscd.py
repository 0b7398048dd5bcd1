"""Benches for tests: the same reader in process and behind a pcscd that is started and stopped here."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hardware.card import CardReader, Presence
from hardware.pcsc import PcscReader
from hardware.pcscd_bench import READER, BenchError, PcscdBench
from hardware.virtual_card import CardSlot, ReaderFaults, SmartCard, VirtualReader


@dataclass(frozen=True)
class Bench:
    """A reader and the hand at it."""

    reader: CardReader
    slot: CardSlot
    service: ReaderFaults

    def insert(self, card: SmartCard) -> None:
        """Put a card in and wait until the reader has seen it."""
        self.slot.insert(card)
        assert self.reader.wait_for_change(Presence.EMPTY, 5) != Presence.EMPTY


@contextmanager
def running_pcscd(port: int | None = None, *, faults: bool = False) -> Iterator[PcscdBench]:
    """A pcscd for one test. Skips where none can run; on Debian as root that is a failure."""
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
