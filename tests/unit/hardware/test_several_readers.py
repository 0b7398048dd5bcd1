"""Which of several readers counts: the one with a My Number card, until that is out; tokens are passed over."""

import logging
from collections.abc import Callable

import pytest

from hardware.card import NoReader, Presence
from hardware.card.pcsc import PcscReader, _Readers
from hardware.simulation.pcscd import READER, SECOND_READER
from hardware.simulation.virtual_card import foreign_card
from tests.support import cards
from tests.support.pcscd import running_pcscd

EMPTY, PRESENT, MUTE, LOST = 0x10, 0x20, 0x220, 0x8
A, B = "A 00 00", "B 01 00"


def at(flags: int, moves: int = 0) -> int:
    return flags | moves << 16


class Desk:
    """Two readers, and what is in them as the looks go by."""

    def __init__(self) -> None:
        self.readers = _Readers()
        self.holds = {A: False, B: False}
        self.probed: list[str] = []

    def look(self, a: int, b: int) -> tuple[Presence, str]:
        presence, (name, _) = self.readers.choose({A: a, B: b}, self._probe)
        return presence, name

    def _probe(self, name: str) -> bool | None:
        self.probed.append(name)
        return self.holds[name]


def test_a_my_number_card_in_any_reader_counts() -> None:
    for name in (A, B):
        desk = Desk()
        desk.look(at(EMPTY), at(EMPTY))
        desk.holds[name] = True
        flags = (at(PRESENT, 1), at(EMPTY)) if name == A else (at(EMPTY), at(PRESENT, 1))
        assert desk.look(*flags) == (Presence.PRESENT, name)


def test_a_token_that_was_there_from_the_start_is_passed_over_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    with caplog.at_level(logging.INFO, logger="reception.pcsc"):
        for _ in range(3):
            assert desk.look(at(PRESENT, 1), at(EMPTY))[0] is Presence.EMPTY
    assert [record.getMessage()[:7] for record in caplog.records] == ["A 00 00"]
    assert desk.probed == [A]
    desk.holds[B] = True
    assert desk.look(at(PRESENT, 1), at(PRESENT, 1)) == (Presence.PRESENT, B)
    assert desk.look(at(PRESENT, 1), at(EMPTY, 2))[0] is Presence.EMPTY


def test_a_mute_sam_from_the_start_is_passed_over_and_a_card_put_in_upside_down_is_not() -> None:
    desk = Desk()
    assert desk.look(at(MUTE, 1), at(EMPTY))[0] is Presence.EMPTY
    assert desk.look(at(MUTE, 1), at(MUTE, 1)) == (Presence.MUTE, B)


def test_another_card_that_is_put_in_counts_so_that_its_holder_is_told() -> None:
    desk = Desk()
    desk.look(at(EMPTY), at(EMPTY))
    assert desk.look(at(PRESENT, 1), at(EMPTY)) == (Presence.PRESENT, A)
    # Only until a My Number card comes.
    desk.holds[B] = True
    assert desk.look(at(PRESENT, 1), at(PRESENT, 1)) == (Presence.PRESENT, B)


def test_two_visits_never_run_at_once() -> None:
    desk = Desk()
    desk.holds = {A: True, B: True}
    desk.look(at(EMPTY), at(EMPTY))
    assert desk.look(at(PRESENT, 1), at(EMPTY)) == (Presence.PRESENT, A)
    assert desk.look(at(PRESENT, 1), at(PRESENT, 1)) == (Presence.PRESENT, A)
    assert desk.probed == [A]
    assert desk.look(at(EMPTY, 2), at(PRESENT, 1)) == (Presence.PRESENT, B)


def test_a_reader_that_is_plugged_in_meanwhile_ends_no_visit() -> None:
    desk = Desk()
    readers, busy = desk.readers, lambda name: None
    assert readers.choose({A: at(PRESENT, 1)}, busy)[0] is Presence.PRESENT
    assert readers.choose({A: at(PRESENT, 1), B: at(EMPTY)}, busy) == (Presence.PRESENT, (A, 1))


@pytest.mark.parametrize("look", [(LOST, EMPTY), (LOST, LOST)])
def test_the_reader_that_counts_is_missed_and_another_is_not(look: tuple[int, int]) -> None:
    desk = Desk()
    desk.holds[A] = True
    desk.look(at(PRESENT, 1), at(EMPTY))
    with pytest.raises(NoReader):
        desk.look(*map(at, look))
    desk = Desk()
    desk.holds[A] = True
    desk.look(at(PRESENT, 1), at(EMPTY))
    assert desk.look(at(PRESENT, 1), at(LOST)) == (Presence.PRESENT, A)


def wait_until(reader: PcscReader, known: Presence, wanted: Callable[[], bool]) -> None:
    for _ in range(10):
        known = reader.wait_for_change(known, 1)
        if wanted():
            return
    raise AssertionError(f"{reader.name}: {known}")


def test_behind_pcscd_the_card_counts_in_either_reader_and_a_token_does_not() -> None:
    with running_pcscd() as pcscd:
        token = PcscReader(READER)
        pcscd.slot.insert(foreign_card("payment"))
        wait_until(token, Presence.EMPTY, lambda: token.presence() is Presence.PRESENT)
        reader = PcscReader("virtual*")
        assert reader.presence() is Presence.EMPTY
        pcscd.second_slot.insert(cards.card())
        assert reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT
        assert reader.name == SECOND_READER
        channel = reader.connect()
        assert channel.protocol == "T=1"
        assert channel.atr.hex().startswith("3be0")
        channel.close()
        pcscd.second_slot.remove()
        assert reader.wait_for_change(Presence.PRESENT, 5) is Presence.EMPTY
        pcscd.slot.insert(cards.card("other"))
        wait_until(
            reader, Presence.EMPTY, lambda: reader.name == READER and reader.presence() is Presence.PRESENT
        )
