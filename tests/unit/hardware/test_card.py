"""What the terminal does with a card: the routes, PIN safety, another card in its place, and hostile answers."""

import logging
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.person import ForeignKind
from hardware.card import (
    CardError,
    CardFace,
    CardProtocolError,
    CardRemovedError,
    CardSwapped,
    CardTrouble,
    CardUnreadable,
    MatchCodeWrong,
    MyNumberCard,
    PhotoTrust,
    PinBlocked,
    PinWrong,
    ReaderStalled,
    WrongCard,
    match_code_b,
    records,
)
from hardware.card.link import TRACE, CardLink
from hardware.card.photo import PhotoDamaged, decoded
from hardware.simulation.virtual_card import RecordingCard, SmartCard, VirtualReader, foreign_card
from hardware.simulation.virtual_card.contents import (
    card_verifiable_certificate,
    face_record,
    private_key,
    token_info,
)
from reception.testing.fuzz import FuzzReport
from reception.testing.fuzz.card import fuzz_card
from tests.support import cards

CODE_B = "55021720352285"


class Patient:
    """A card in a reader, opened."""

    def __init__(self, card: SmartCard) -> None:
        self.card = RecordingCard(card)
        self.reader = VirtualReader()
        self.reader.insert(self.card)
        self.terminal = MyNumberCard(self.reader.connect(), cards.rules())


class Script:
    """A channel that answers what a function says."""

    atr, protocol = b"", ""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.sent: list[bytes] = []

    def transmit(self, apdu: bytes | bytearray) -> bytes:
        self.sent.append(bytes(apdu))
        return self.answer(bytes(apdu))

    def still_in(self) -> bool:
        return True

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass


def pin_route(terminal: MyNumberCard) -> bytes:
    terminal.read()
    terminal.verify_pin(bytearray(b"1234"))
    return terminal.sign(b"challenge")


def face_route(terminal: MyNumberCard) -> tuple[CardFace, PhotoTrust]:
    terminal.read()
    return terminal.read_face(CODE_B)


class TestFirstLook:
    def test_it_tells_medium_certificate_and_tries(self) -> None:
        patient = Patient(cards.card(pin_tries_left=2))
        facts = patient.terminal.read()
        assert facts.medium == "card"
        assert facts.certificate == cards.credentials().certificate
        assert facts.certificate_expires == date(2030, 12, 6)
        assert facts.card_expires is None
        assert facts.pin_tries_left == 2

    def test_a_face_only_card_has_no_pin(self) -> None:
        facts = Patient(cards.card(kind="face-only")).terminal.read()
        assert facts.pin_tries_left is None

    def test_a_blocked_pin_has_no_try_left(self) -> None:
        assert Patient(cards.card(pin_tries_left=0)).terminal.read().pin_tries_left == 0

    def test_an_android_phone_gives_its_certificate_after_the_pin_only(self) -> None:
        patient = Patient(cards.card(kind="phone-android"))
        facts = patient.terminal.read()
        assert (facts.medium, facts.certificate, facts.pin_tries_left) == ("android", b"", 3)
        with pytest.raises(CardProtocolError, match="6982"):
            patient.terminal.read_certificate()
        patient.terminal.verify_pin(bytearray(b"1234"))
        certificate = patient.terminal.read_certificate()
        cards.check_signature(certificate, b"challenge", patient.terminal.sign(b"challenge"))

    def test_an_iphone_has_asked_its_owner_itself(self) -> None:
        patient = Patient(cards.card(kind="phone-ios"))
        facts = patient.terminal.read()
        assert (facts.medium, facts.pin_tries_left) == ("ios", None)
        cards.check_signature(facts.certificate, b"challenge", patient.terminal.sign(b"challenge"))

    @pytest.mark.parametrize("kind", ["juki", "payment", "transit", "other"])
    def test_another_card_is_refused_by_its_kind(self, kind: ForeignKind | Literal["other"]) -> None:
        with pytest.raises(WrongCard) as caught:
            Patient(foreign_card(kind)).terminal.read()
        assert caught.value.kind == kind

    def test_a_first_answer_6f00_is_asked_again_once(self) -> None:
        card = cards.card()
        answers = iter([b"\x6f\x00"])
        script = Script(lambda apdu: next(answers, b"") or card.process(apdu))
        assert MyNumberCard(script).read().pin_tries_left == 3
        for trouble in (0x6F00, 0x6581, 0x6985, 0x6283):
            with pytest.raises(CardTrouble):
                MyNumberCard(Script(lambda apdu, trouble=trouble: trouble.to_bytes(2))).read()  # type: ignore[misc]

    def test_a_pin_still_verified_from_before_is_not_trusted(self) -> None:
        card = cards.card()

        def verified(apdu: bytes) -> bytes:
            return b"\x90\x00" if apdu == bytes.fromhex("00200098") else card.process(apdu)

        with pytest.raises(CardUnreadable, match="power-off"):
            MyNumberCard(Script(verified)).read()

    def test_a_card_that_knows_no_short_file_ids_for_its_pin_is_asked_by_select(self) -> None:
        card = cards.card()

        def strict(apdu: bytes) -> bytes:
            return b"\x6a\x86" if apdu[1] == 0x20 and apdu[3] == 0x98 else card.process(apdu)

        script = Script(strict)
        assert len(pin_route(MyNumberCard(script))) == 256
        assert card.pin_tries_left == 3


class TestPin:
    def test_right_pin_signs(self) -> None:
        patient = Patient(cards.card())
        cards.check_signature(cards.credentials().certificate, b"challenge", pin_route(patient.terminal))

    def test_a_wrong_pin_tells_what_is_left_and_the_last_one_blocks(self) -> None:
        patient = Patient(cards.card())
        patient.terminal.read()
        for left in (2, 1):
            with pytest.raises(PinWrong) as caught:
                patient.terminal.verify_pin(bytearray(b"0000"))
            assert caught.value.tries_left == left
        with pytest.raises(PinBlocked):
            patient.terminal.verify_pin(bytearray(b"0000"))
        assert patient.card.pin_tries_left == 0

    def test_a_right_pin_restores_the_tries(self) -> None:
        patient = Patient(cards.card(pin_tries_left=1))
        pin_route(patient.terminal)
        assert patient.card.pin_tries_left == 3

    def test_nothing_is_sent_when_no_try_is_left(self) -> None:
        patient = Patient(cards.card(pin_tries_left=0))
        patient.terminal.read()
        with pytest.raises(PinBlocked):
            patient.terminal.verify_pin(bytearray(b"1234"))
        assert not [apdu for apdu in patient.card.seen if apdu[1] == 0x20 and len(apdu) > 5]

    def test_a_card_that_answers_for_a_pin_but_shows_another_certificate_never_gets_it(self) -> None:
        """As one would that has the same application selected from the moment it gets power."""
        patient, other = Patient(cards.card()), cards.card("other", pin="9999")
        patient.terminal.read()
        other.process(bytes.fromhex("00A4040C0AD392F000260100000001"))
        patient.card.inner = other
        with pytest.raises(CardSwapped):
            patient.terminal.verify_pin(bytearray(b"1234"))
        assert other.pin_tries_left == 3

    @pytest.mark.parametrize("pin", [b"", b"123", b"12345", b"12a4", "１２３４".encode()])
    def test_what_is_no_pin_never_reaches_the_card(self, pin: bytes) -> None:
        patient = Patient(cards.card())
        patient.terminal.read()
        sent = patient.card.count
        with pytest.raises(ValueError, match="4 digits"):
            patient.terminal.verify_pin(bytearray(pin))
        assert patient.card.count == sent

    def test_no_pin_is_sent_to_a_card_without_one(self) -> None:
        patient = Patient(cards.card(kind="face-only"))
        patient.terminal.read()
        with pytest.raises(CardProtocolError):
            patient.terminal.verify_pin(bytearray(b"1234"))

    def test_the_command_that_held_the_pin_is_wiped(self) -> None:
        card, kept = cards.card(), list[bytes | bytearray]()

        class Keeper(Script):
            def transmit(self, apdu: bytes | bytearray) -> bytes:
                kept.append(apdu)
                return super().transmit(apdu)

        pin_route(MyNumberCard(Keeper(card.process)))
        assert kept
        assert not any(any(apdu) for apdu in kept)

    def test_the_trace_shows_neither_pin_nor_code_nor_answers(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(TRACE, logger="reception.card"):
            patient = Patient(cards.card())
            pin_route(patient.terminal)
            patient.terminal.read_face(CODE_B)
        assert "00 20 00 98 Lc=4 XXXXXXXX" in caplog.text
        for secret in (b"1234", CODE_B.encode(), "試験".encode(), cards.jp2()[:20]):
            assert secret.hex().upper() not in caplog.text.replace(" ", "")

    def test_after_a_transport_error_nothing_more_is_sent(self) -> None:
        card = cards.card()

        def lost_answer(apdu: bytes) -> bytes:
            answer = card.process(apdu)
            if apdu[1] == 0x20 and len(apdu) > 5:
                raise ReaderStalled("no answer")
            return answer

        script = Script(lost_answer)
        terminal = MyNumberCard(script)
        terminal.read()
        with pytest.raises(ReaderStalled):
            terminal.verify_pin(bytearray(b"0000"))
        sent = len(script.sent)
        with pytest.raises(CardRemovedError):
            terminal.verify_pin(bytearray(b"0000"))
        assert len(script.sent) == sent
        # The next connection asks, and so learns that the lost try was counted.
        assert MyNumberCard(Script(card.process)).read().pin_tries_left == 2

    def test_a_verify_is_never_repeated_for_a_length_correction(self) -> None:
        card = cards.card()

        def odd(apdu: bytes) -> bytes:
            return b"\x6c\x04" if apdu[1] == 0x20 and len(apdu) > 5 else card.process(apdu)

        script = Script(odd)
        terminal = MyNumberCard(script)
        terminal.read()
        with pytest.raises(CardProtocolError):
            terminal.verify_pin(bytearray(b"1234"))
        assert len([apdu for apdu in script.sent if apdu[1] == 0x20 and len(apdu) > 5]) == 1


class TestFace:
    def test_photo_and_dates_of_a_genuine_card(self) -> None:
        face, trust = face_route(Patient(cards.card()).terminal)
        assert face.photo_jp2 == cards.jp2()
        assert (face.expires, face.birth_date) == (cards.EXPIRES, "19800217")
        assert trust is PhotoTrust.GENUINE
        assert repr(face) == "CardFace(...)"

    def test_a_card_without_photo(self) -> None:
        face, trust = face_route(Patient(cards.card(kind="no-photo", photo_jp2=b"")).terminal)
        assert face.photo_jp2 is None
        assert trust is PhotoTrust.GENUINE

    def test_a_changed_photo_breaks_the_signature(self) -> None:
        card = cards.card()
        spot = cards.jp2()[1000:1016]

        def forged(apdu: bytes) -> bytes:
            answer = card.process(apdu)
            return answer.replace(spot, b"\x01" + spot[1:], 1) if apdu[1:3] == b"\xb0\x08" else answer

        for answers, trust in ((card.process, PhotoTrust.GENUINE), (forged, PhotoTrust.FORGED)):
            assert face_route(MyNumberCard(Script(answers), cards.rules()))[1] is trust

    def test_an_unusable_face_certificate_vouches_for_nothing(self) -> None:
        card = cards.card()

        def broken(apdu: bytes) -> bytes:
            return b"\x7f\x21\x00\x90\x00" if apdu[1:3] == b"\xb0\x84" else card.process(apdu)

        assert face_route(MyNumberCard(Script(broken), cards.rules()))[1] is PhotoTrust.FORGED

    def test_a_wrong_match_code_tells_the_tries_and_costs_no_pin(self) -> None:
        patient = Patient(cards.card())
        patient.terminal.read()
        with pytest.raises(MatchCodeWrong) as caught:
            patient.terminal.read_face("0" * 14)
        assert caught.value.tries_left == 9
        assert patient.card.pin_tries_left == 3

    def test_the_pin_works_after_the_face_and_the_card_is_the_same(self) -> None:
        patient = Patient(cards.card())
        certificate = patient.terminal.read().certificate
        patient.terminal.read_face(CODE_B)
        patient.terminal.verify_pin(bytearray(b"1234"))
        cards.check_signature(certificate, b"challenge", patient.terminal.sign(b"challenge"))

    def test_a_photo_is_never_taken_from_another_card_than_the_certificate(self) -> None:
        patient = Patient(cards.card())
        patient.terminal.read()
        patient.reader.swap(cards.card("other"), unnoticed=True)
        with pytest.raises(CardSwapped):
            patient.terminal.read_face(CODE_B)

    def test_a_look_at_the_card_finds_another_one_in_its_place(self) -> None:
        patient = Patient(cards.card())
        patient.terminal.read()
        patient.terminal.confirm()
        patient.reader.swap(cards.card("other"), unnoticed=True)
        with pytest.raises(CardSwapped):
            patient.terminal.confirm()

    def test_my_number_is_never_asked_for(self) -> None:
        patient = Patient(cards.card())
        pin_route(patient.terminal)
        patient.terminal.read_face(CODE_B)
        text_application = bytes.fromhex("D3921000310001010408")
        assert not any(text_application in apdu for apdu in patient.card.seen)
        in_face = patient.card.seen[
            [b"\x31\x00\x01\x01\x04\x02" in apdu for apdu in patient.card.seen].index(True) :
        ]
        assert not any(apdu[:3] == b"\x00\xb0\x85" for apdu in in_face)

    @pytest.mark.parametrize(
        ("birth_date", "code"),
        [
            (date(1980, 2, 17), "55021720352285"),
            (date(1989, 1, 7), "64010720352285"),
            (date(1989, 1, 8), "01010820352285"),
            (date(2019, 4, 30), "31043020352285"),
            (date(2019, 5, 1), "01050120352285"),
            (date(1926, 12, 24), "15122420352285"),
            (date(1926, 12, 25), "01122520352285"),
            (date(1912, 7, 29), "45072920352285"),
        ],
    )
    def test_match_code_b_counts_years_by_era(self, birth_date: date, code: str) -> None:
        assert match_code_b(birth_date, date(2035, 2, 17), "2285") == code


@pytest.mark.parametrize("route", [pin_route, face_route])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_card_pulled_at_any_command_is_removed_and_only_a_sent_verify_counts(
    route: Callable[[MyNumberCard], object], moment: str
) -> None:
    whole = Patient(cards.card())
    route(whole.terminal)
    for number in range(1, whole.card.count + 1):
        patient = Patient(cards.card(pin_tries_left=2))

        def pull(count: int, _apdu: bytes, patient: Patient = patient, number: int = number) -> bool:
            if count == number:
                patient.reader.remove()
            return count == number

        setattr(patient.card, moment, pull)
        with pytest.raises(CardRemovedError):
            route(patient.terminal)
        verified = any(apdu[1] == 0x20 and len(apdu) == 9 for apdu in patient.card.seen)
        assert patient.card.pin_tries_left == (3 if verified else 2)
        # The next patient succeeds.
        patient.reader.insert(cards.card())
        route(MyNumberCard(patient.reader.connect()))


class TestHostileAnswers:
    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"\x90",
            b"\x90\x00",
            b"\x61\x00",
            b"\x6c\x00",
            bytes(300) + b"\x90\x00",
            bytes(256) + b"\x61\xff",
        ],
    )
    def test_one_answer_to_everything_is_a_card_error(self, answer: bytes) -> None:
        script = Script(lambda apdu: answer)
        terminal = MyNumberCard(script)
        for step in (
            terminal.read,
            lambda: terminal.verify_pin(bytearray(b"1234")),
            lambda: terminal.sign(b"x"),
        ):
            with pytest.raises(CardError):
                step()
        assert len(script.sent) < 1000

    @pytest.mark.parametrize("size", [1_000_000, 65_535, 8_193])
    def test_a_huge_certificate_is_refused_before_it_is_read(self, size: int) -> None:
        length = size.to_bytes(3) if size > 0xFFFF else size.to_bytes(2)
        head = bytes([0x30, 0x80 | len(length)]) + length
        script = Script(lambda apdu: (head + bytes(256))[:256] + b"\x90\x00")
        with pytest.raises(CardProtocolError):
            records.certificate_size(head + bytes(252))
        terminal = MyNumberCard(script)
        with pytest.raises(CardError):
            terminal.read_certificate()
        assert len(script.sent) <= 4

    def test_a_card_that_gives_crumbs_is_not_waited_for(self) -> None:
        script = Script(lambda apdu: b"\x30\x82\x10\x00"[: 4 if apdu[2] & 0x80 else 1] + b"\x90\x00")
        with pytest.raises(CardProtocolError, match="crumbs"):
            CardLink(script).read_object(0x0A, 8192, "certificate")
        assert len(script.sent) < 60

    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=30))
    @settings(max_examples=60)
    def test_random_answers_end_in_a_card_error(self, answers: list[bytes]) -> None:
        def endless() -> Iterator[bytes]:
            while True:
                for answer in answers:
                    yield answer + b"\x90\x00"

        given_answers = endless()
        terminal = MyNumberCard(Script(lambda apdu: next(given_answers)))
        with pytest.raises(CardError):
            terminal.read()
        with pytest.raises(CardError):
            terminal.read_face(CODE_B)


def a_record() -> bytes:
    own = cards.credentials()
    return face_record(cards.card().contents, private_key(own.face_key_pem), private_key(own.chip_key_pem))


def mutated(original: Callable[[], bytes]) -> st.SearchStrategy[bytes]:
    """Bytes near a right one: some changed, cut, or with a stretch doubled."""

    @st.composite
    def draw(draw: st.DrawFn) -> bytes:
        data = bytearray(original())
        for _ in range(draw(st.integers(0, 4))):
            # Headers stand at the start; that is where changes matter.
            at = draw(st.integers(0, min(len(data) - 1, 400)) | st.integers(0, len(data) - 1))
            data[at] = draw(st.integers(0, 255))
        if draw(st.booleans()):
            del data[draw(st.integers(0, len(data))) :]
        if draw(st.booleans()):
            at = draw(st.integers(0, len(data)))
            data[at:at] = data[at : at + draw(st.integers(0, 64))]
        return bytes(data)

    return draw()


PARSERS: dict[str, tuple[Callable[[bytes], object], Callable[[], bytes]]] = {
    "tlv": (records.tlv_items, a_record),
    "tlv size": (records.tlv_size, a_record),
    "certificate": (records.certificate_size, lambda: cards.credentials().certificate),
    "certificate facts": (records.certificate_facts, lambda: cards.credentials().certificate),
    "token info": (records.token_label, lambda: token_info("JPKIAPICCTOKEN2")),
    "face record": (records.face_record, a_record),
    "photo": (records.photo_size, cards.jp2),
    "face certificate": (
        records.card_verifiable_certificate,
        lambda: card_verifiable_certificate(private_key(cards.credentials().face_key_pem)),
    ),
}


class TestParsers:
    """Any bytes give a value or CardProtocolError."""

    @pytest.mark.parametrize("name", PARSERS)
    def test_right_bytes_are_taken(self, name: str) -> None:
        parse, original = PARSERS[name]
        assert parse(original())

    @pytest.mark.parametrize("name", PARSERS)
    @given(data=st.data())
    @settings(max_examples=30)
    def test_random_and_mutated_bytes(self, name: str, data: st.DataObject) -> None:
        parse, original = PARSERS[name]
        given_bytes = data.draw(st.binary(max_size=500) | mutated(original))
        with suppress(CardProtocolError):
            parse(given_bytes)

    @given(st.binary(max_size=4096))
    @example(b"\xff" * 4096)
    @example(b"\x1f\x7f\x00" * 1000)
    @settings(max_examples=100)
    def test_memory_is_bound_by_the_input(self, data: bytes) -> None:
        tracemalloc.start()
        try:
            records.tlv_items(data)
        except CardProtocolError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 200_000

    def test_filler_after_a_record_is_passed_over(self) -> None:
        assert records.face_record(a_record() + b"\xff" * 512).face == records.face_record(a_record()).face

    def test_a_truncated_photo_is_refused(self) -> None:
        photo = cards.jp2()
        for size in range(0, len(photo), 7):
            with pytest.raises(CardProtocolError):
                records.photo_size(photo[:size])

    @pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (1, 2**31), (2049, 10), (0, 10)])
    def test_a_photo_that_declares_an_absurd_size_is_refused(self, width: int, height: int) -> None:
        with pytest.raises(CardProtocolError):
            records.photo_size(cards.jp2(width, height))

    def test_a_small_header_over_a_huge_picture_is_refused(self) -> None:
        bomb = cards.jp2(60_000, 60_000)
        header = cards.jp2()
        stream = bomb.index(b"jp2c")
        with pytest.raises(CardProtocolError):
            records.photo_size(header[: header.index(b"jp2c")] + bomb[stream:])

    def test_a_huge_picture_hidden_before_or_in_a_small_one_never_reaches_the_decoder(self) -> None:
        """Decoders take the first codestream that they meet; a look that takes another one would be no look."""
        small, huge = cards.jp2(), cards.jp2(8000, 8000)
        head, stream = small[: small.index(b"jp2h") - 4], small.index(b"jp2c") - 4
        marker = small.index(b"\xff\x4f\xff\x51")
        decoy = (60).to_bytes(4) + b"free" + small[marker : marker + 52]
        parts = [box[box.index(b"jp2h") - 4 :] for box in (huge, small)]
        for hidden in (
            head + decoy + b"".join(parts),
            small[:stream] + huge[huge.index(b"jp2c") - 4 :] + small[stream:],
        ):
            with pytest.raises(CardProtocolError):
                records.photo_size(hidden)
            with pytest.raises(PhotoDamaged):
                decoded(hidden)

    def test_a_palette_that_blows_each_point_up_is_refused(self) -> None:
        photo = cards.jp2()
        header = photo.index(b"jp2h") - 4
        size = int.from_bytes(photo[header : header + 4])
        palette = (12).to_bytes(4) + b"pclr" + b"\x04\x00\xff\x07"
        end = header + size
        with_palette = (size + 12).to_bytes(4) + photo[header + 4 : end] + palette + photo[end:]
        with pytest.raises(CardProtocolError, match="palette"):
            records.photo_size(photo[:header] + with_palette)

    @pytest.mark.parametrize("tag", ["DF22", "DF23", "DF24", "DF25", "DF29", "DF28"])
    def test_a_field_that_is_missing_or_nonsense_costs_no_more_than_itself(self, tag: str) -> None:
        record = records.face_record(a_record().replace(bytes.fromhex(tag), b"\xdf\x70", 1))
        assert record.face.photo_jp2 == cards.jp2()
        assert record.face.expires == (None if tag == "DF29" else cards.EXPIRES)
        assert record.face.birth_date == ("" if tag == "DF22" else "19800217")

    @pytest.mark.parametrize("birth", [b"19550000", b"00000000", b"19800230"])
    def test_a_birth_date_that_is_not_in_the_calendar_is_taken_as_it_stands(self, birth: bytes) -> None:
        assert records.face_record(a_record().replace(b"19800217", birth)).face.birth_date == birth.decode()


def test_a_photo_too_large_for_a_card_is_refused_when_the_card_is_made() -> None:
    contents = cards.card().contents
    with pytest.raises(ValueError, match="at most"):
        replace(contents, photo_jp2=bytes(1_000_000))


def test_the_long_fuzzer_reports_a_parser_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fuzz_card(30, seed=1, inputs=3000) == FuzzReport(3000, 1)

    def breaks(data: bytes) -> None:
        raise IndexError

    monkeypatch.setattr(records, "tlv_size", breaks)
    assert "IndexError" in fuzz_card(30, seed=1, inputs=3000).failure


def test_the_trace_is_silent_by_default(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        pin_route(Patient(cards.card()).terminal)
    assert not [record for record in caplog.records if record.name == "reception.card"]
