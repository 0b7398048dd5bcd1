"""Readers and cards as they are: short blocks, odd lengths, lost exchanges, resets, and cards that lack something."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import get_args

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hardware.card import (
    CardProtocolError,
    CardRemovedError,
    CardUnreadable,
    CertificateUnreadable,
    ExchangeLost,
    MyNumberCard,
    NoCertificate,
    PhotoTrust,
    PinFateUnknown,
    PinWrong,
    Presence,
    ReaderBusy,
    SteadyReader,
    UnknownGeneration,
    WrongCard,
    steady,
)
from hardware.card.ecdsa import as_der, verifies
from hardware.card.records import certificate_facts
from hardware.simulation.virtual_card import (
    CardContents,
    Quirk,
    QuirkyCard,
    RecordingCard,
    SmartCard,
    VirtualCard,
    VirtualReader,
    foreign_card,
)
from hardware.simulation.virtual_card.card import JPKI
from hardware.simulation.virtual_card.contents import token_info
from hardware.simulation.virtual_card.files import DataFile, File
from tests.support import cards

CODE_B = "55021720352285"
PIN_MESSAGE = b"challenge of the server"

Route = Callable[[MyNumberCard], object]


def by_pin(terminal: MyNumberCard) -> object:
    certificate = terminal.read().certificate
    terminal.verify_pin(bytearray(b"1234"))
    cards.check_signature(certificate, PIN_MESSAGE, terminal.sign(PIN_MESSAGE))
    return None


def by_face(terminal: MyNumberCard) -> object:
    terminal.read()
    face, trust = terminal.read_face(CODE_B)
    assert (face.photo_jp2, trust) == (cards.jp2(), PhotoTrust.GENUINE)
    terminal.confirm()
    return None


ROUTES = (by_pin, by_face)


class Desk:
    """A card in a reader with faults, and the terminal's view of it."""

    def __init__(self, card: SmartCard) -> None:
        self.card = RecordingCard(card)
        self.reader = VirtualReader()
        self.reader.insert(self.card)
        self.channel = SteadyReader(self.reader).connect()
        self.terminal = MyNumberCard(self.channel, cards.rules())

    def verifies_sent(self) -> int:
        return sum(apdu[1] == 0x20 and len(apdu) == 9 for apdu in self.card.seen)


# --- Lengths and file ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("quirk", [quirk for quirk in get_args(Quirk) if quirk])
def test_both_routes_work_on_readers_and_cards_with_habits(quirk: Quirk, route: Route) -> None:
    desk = Desk(QuirkyCard(cards.card(), quirk))
    route(desk.terminal)
    assert desk.card.pin_tries_left == 3
    assert desk.verifies_sent() <= 1


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("quirk", ["short-blocks", "correct-le", "short-reads"])
@pytest.mark.parametrize("block", [16, 17, 32, 60, 64, 127, 128, 200, 240, 250, 254, 255])
def test_both_routes_work_with_blocks_of_any_size(block: int, quirk: Quirk, route: Route) -> None:
    route(Desk(QuirkyCard(cards.card(), quirk, block)).terminal)


@pytest.mark.parametrize("refusal", [0x6A86, 0x6A82, 0x6B00, 0x6986, 0x6985, 0x6981, 0x6A81, 0x6D00, 0x6A88])
def test_a_card_without_short_file_ids_may_say_so_in_many_words(refusal: int) -> None:
    card = cards.card()

    class Strict(QuirkyCard):
        def process(self, apdu: bytes) -> bytes:
            answer = super().process(apdu)
            return refusal.to_bytes(2) if answer == b"\x6a\x86" else answer

    desk = Desk(Strict(card, "no-short-ids"))
    by_pin(desk.terminal)
    assert card.pin_tries_left == 3


# --- Lost exchanges and resets ----------------------------------------------------------------------------------


def commands_of(route: Route) -> int:
    desk = Desk(cards.card())
    route(desk.terminal)
    return desk.card.count


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("executed", [False, True], ids=["lost on its way", "answer lost"])
def test_any_one_exchange_may_be_lost_and_no_pin_is_sent_twice(route: Route, executed: bool) -> None:
    for number in range(commands_of(route)):
        desk = Desk(cards.card(pin_tries_left=2))
        desk.reader.lose_exchanges(1, number, executed=executed)
        # Of a PIN lost on its way the card knows nothing, and says so.
        with nullcontext() if executed else suppress(PinFateUnknown):
            route(desk.terminal)
        assert desk.verifies_sent() <= 1
        assert desk.card.pin_tries_left == (3 if desk.verifies_sent() else 2)


@pytest.mark.parametrize("executed", [False, True])
def test_a_wrong_pin_whose_answer_was_lost_costs_at_most_the_one_try(executed: bool) -> None:
    desk = Desk(cards.card())
    desk.terminal.read()
    desk.reader.lose_exchanges(1, 2, executed=executed)
    with pytest.raises(PinWrong if executed else PinFateUnknown) as told:
        desk.terminal.verify_pin(bytearray(b"0000"))
    left = desk.card.pin_tries_left
    assert left == (2 if executed else 3)
    assert isinstance(told.value, PinWrong | PinFateUnknown) and told.value.tries_left == left


class _SecurityStatusGone(Exception):
    """The card tells that what was verified is not verified any more."""


def gone(route: Route, desk: Desk) -> None:
    try:
        route(desk.terminal)
    except PinFateUnknown as error:
        raise _SecurityStatusGone from error
    except CardProtocolError as error:
        if error.status == 0x6982:
            raise _SecurityStatusGone from error
        raise


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("power", [False, True], ids=["warm", "with power-off"])
def test_a_reset_at_any_command_begins_anew_or_ends_in_true_words(route: Route, power: bool) -> None:
    for number in range(1, commands_of(route) + 1):
        desk = Desk(cards.card(pin_tries_left=2))

        def reset(count: int, _apdu: bytes, desk: Desk = desk, number: int = number) -> None:
            if count == number:
                desk.reader.reset_card(power=power)

        desk.card.after = reset
        # With the power, a verified PIN is gone: it has to be typed again, or the card refuses to sign.
        with suppress(_SecurityStatusGone) if power else nullcontext():
            gone(route, desk)
        assert desk.verifies_sent() <= 1


def test_two_lost_in_a_row_are_begun_anew_and_a_dead_line_is_trouble_with_the_card_in() -> None:
    desk = Desk(cards.card())
    desk.reader.lose_exchanges(2, 3)
    by_pin(desk.terminal)
    desk = Desk(cards.card())
    desk.reader.lose_exchanges(200)
    with pytest.raises(ExchangeLost):
        desk.terminal.read()
    assert desk.reader.presence() is Presence.PRESENT


def test_a_long_answer_that_the_reader_loses_is_asked_for_in_shorter_ones() -> None:
    card = cards.card()

    class Narrow(QuirkyCard):
        def process(self, apdu: bytes) -> bytes:
            answer = super().process(apdu)
            if apdu[1] == 0xB0 and len(answer) > 130:
                raise ExchangeLost("longer than this reader can carry")
            return answer

    desk = Desk(Narrow(card, ""))
    by_face(desk.terminal)
    assert desk.terminal.block_size <= 128


def test_a_card_pulled_while_an_exchange_is_lost_is_removed() -> None:
    desk = Desk(cards.card())
    desk.reader.lose_exchanges(9)
    desk.card.before = lambda number, apdu: False
    desk.reader.remove()
    with pytest.raises(CardRemovedError):
        desk.terminal.read()


# --- A reader with patience -------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", [1, 2, 4])
def test_a_card_that_does_not_answer_its_first_power_ups_is_powered_up_again(failing: int) -> None:
    reader = VirtualReader()
    reader.fail_power_ups(failing)
    reader.insert(cards.card())
    assert reader.presence() is Presence.MUTE
    patient = SteadyReader(reader)
    assert patient.wait_for_change(Presence.EMPTY, 1) is Presence.PRESENT
    by_pin(MyNumberCard(patient.connect()))


def test_a_card_that_never_answers_is_mute_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "POWER_UP_LIMIT_S", 0.2)
    reader = VirtualReader()
    reader.insert(foreign_card("mute"))
    assert SteadyReader(reader).wait_for_change(Presence.EMPTY, 1) is Presence.MUTE
    with pytest.raises(CardUnreadable):
        SteadyReader(reader).connect()


def test_another_program_is_waited_for_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    reader = VirtualReader()
    reader.insert(cards.card())
    reader.hold(0.3)
    SteadyReader(reader).connect(lambda: told.append("busy")).close()
    assert told == ["busy"]
    monkeypatch.setattr(steady, "BUSY_LIMIT_S", 0.2)
    reader.hold(5)
    with pytest.raises(ReaderBusy):
        SteadyReader(reader).connect()


# --- Cards by what they are -------------------------------------------------------------------------------------


def with_files(changes: dict[int, File | None], contents: CardContents | None = None) -> VirtualCard:
    card = VirtualCard(contents) if contents else cards.card()
    jpki = card._applications[JPKI]
    files = {**jpki.files, **changes}
    kept = {number: file for number, file in files.items() if file is not None}
    card._applications = {**card._applications, JPKI: replace(jpki, files=kept)}
    return card


def certified(key: object) -> bytes:
    """A certificate over any key, by a made-up CA."""
    ca = ec.generate_private_key(ec.SECP256R1())
    facts = certificate_facts(cards.credentials().certificate)
    begin, end = (f"{day:%Y%m%d}" for day in (facts.begins, facts.expires))
    from datetime import UTC, datetime

    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 4711)  # type: ignore[attr-defined]
    builder = builder.not_valid_before(datetime.strptime(begin, "%Y%m%d").replace(tzinfo=UTC))
    builder = builder.not_valid_after(datetime.strptime(end, "%Y%m%d").replace(tzinfo=UTC))
    return builder.sign(ca, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


THERE, NONE_THERE = DataFile(b"\x8f\x8f\x00"), DataFile(b"\x8f\x00\x00")
OWN = cards.credentials().certificate


@pytest.mark.parametrize(
    "file", [DataFile(b"\xff" * 2048), DataFile(bytes(2048)), DataFile(b""), DataFile(b"\xff"), None]
)
@pytest.mark.parametrize("flags", [THERE, NONE_THERE, None])
def test_a_card_without_certificate_says_so(file: File | None, flags: File | None) -> None:
    with pytest.raises(NoCertificate):
        MyNumberCard(Desk(with_files({0x0A: file, 0x08: flags})).channel).read()


@pytest.mark.parametrize(
    "der",
    [
        b"\x31" + OWN[1:],
        OWN[:300],
        OWN[:-40],
        OWN[:40] + bytes(200) + OWN[240:],
        b"\x30\x82\x01\x00" + bytes(256),
        b"\x30\x83\x01\x00\x00" + bytes(300),
        b"garbage, and nothing else" * 20,
    ],
)
def test_a_certificate_that_is_none_is_told_as_unreadable(der: bytes) -> None:
    with pytest.raises(CertificateUnreadable):
        MyNumberCard(Desk(with_files({0x0A: DataFile(der)})).channel).read()
    with pytest.raises(NoCertificate if der[:1] != b"\x30" else CertificateUnreadable):
        MyNumberCard(Desk(with_files({0x0A: DataFile(der), 0x08: NONE_THERE})).channel).read()


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 1024),
        rsa.generate_private_key(65537, 3072),
    ],
    ids=["P-256", "P-521", "Ed25519", "RSA-1024", "RSA-3072"],
)
def test_a_key_that_a_terminal_cannot_use_is_told_before_any_pin(key: object) -> None:
    desk = Desk(with_files({0x0A: DataFile(certified(key))}))
    with pytest.raises(UnknownGeneration):
        desk.terminal.read()
    assert desk.verifies_sent() == 0


@pytest.mark.parametrize("label", ["JPKIAPICCTOKEN9", "SOMETHINGNEW", "JPKIAPICCTOKEN22"])
def test_a_label_that_nobody_knows_is_another_generation_and_not_another_card(label: str) -> None:
    with pytest.raises(UnknownGeneration, match=label):
        Desk(with_files({0x06: DataFile(token_info(label))})).terminal.read()


@pytest.mark.parametrize("info", [b"", b"\xff" * 160, b"short", bytes(160)])
def test_a_token_info_that_is_none_is_another_generation(info: bytes) -> None:
    with pytest.raises((UnknownGeneration, WrongCard)):
        Desk(with_files({0x06: DataFile(info)})).terminal.read()


def next_contents() -> CardContents:
    key = ec.generate_private_key(ec.SECP384R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    own = replace(cards.credentials(), certificate=certified(key), private_key_pem=pem)
    return replace(cards.card().contents, credentials=own, generation="next")


@pytest.mark.parametrize("way", ["digest", "message"])
def test_a_card_of_the_next_generation_signs_with_p384(way: str) -> None:
    desk = Desk(VirtualCard(next_contents()))
    terminal = MyNumberCard(desk.channel, cards.rules(next_signs=way))
    facts = terminal.read()
    assert (facts.key, facts.label, facts.pin_tries_left) == ("P-384", "JPKIAPICCTOKEN3", 3)
    terminal.verify_pin(bytearray(b"1234"))
    public_key = certificate_facts(facts.certificate).public_key
    assert verifies(public_key, PIN_MESSAGE, terminal.sign(PIN_MESSAGE))
    by_face(terminal)


def test_a_bare_signature_of_two_numbers_is_understood_and_a_wrong_one_never_leaves_the_terminal() -> None:
    contents = next_contents()

    class Bare(QuirkyCard):
        def process(self, apdu: bytes) -> bytes:
            answer = super().process(apdu)
            if apdu[:2] == b"\x80\x2a" and apdu[3] and answer.endswith(b"\x90\x00"):
                from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

                r, s = decode_dss_signature(answer[:-2])
                return r.to_bytes(48) + (s + wrong).to_bytes(48) + b"\x90\x00"
            return answer

    for wrong in (0, 1):
        desk = Desk(Bare(VirtualCard(contents), ""))
        desk.terminal.read()
        desk.terminal.verify_pin(bytearray(b"1234"))
        if wrong:
            with pytest.raises(Exception, match="does not fit its certificate"):
                desk.terminal.sign(PIN_MESSAGE)
        else:
            assert as_der(desk.terminal.sign(PIN_MESSAGE))[0] == 0x30


def test_the_next_cards_application_may_have_another_id() -> None:
    card = VirtualCard(next_contents())
    other = bytes.fromhex("D392F000260100000002")
    applications = dict(card._applications)
    applications[other] = applications.pop(JPKI)
    card._applications = applications
    channel = Desk(card).channel
    with pytest.raises(WrongCard):
        MyNumberCard(channel, cards.rules()).read()
    terminal = MyNumberCard(channel, cards.rules(next_application=other.hex()))
    terminal.read()
    terminal.verify_pin(bytearray(b"1234"))
    assert terminal.sign(PIN_MESSAGE)


@pytest.mark.parametrize("trouble", [0x6F00, 0x6581, 0x6985, 0x6283, 0x6400])
def test_a_select_in_trouble_is_no_other_card_and_is_tried_again(trouble: int) -> None:
    card, answers = cards.card(), [trouble.to_bytes(2)] * 2

    class Weak(QuirkyCard):
        def process(self, apdu: bytes) -> bytes:
            return answers.pop() if answers else super().process(apdu)

    by_pin(Desk(Weak(card, "")).terminal)
