import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.choices import ConsentAnswer, Item
from hardware.face.guidance import Guidance
from reception import flow
from reception.flow import HelpTopic, Language, Method
from reception.flow.failures import FailureCode
from reception.speech import menu, prompts, sounds
from reception.speech.prompts import every_sentence, news, whole
from reception.terminal.snapshot import Snapshot
from reception.testing.gallery import SAMPLES
from reception.texts import catalogue, wording
from reception.texts.failures import FAILURES, NOT_COMPLETE

SPOKEN = (Language.JA, Language.EN)
BY_CARD, BY_PHONE = (Method.FACE, Method.PIN), (Method.IPHONE, Method.ANDROID)
PACE = {"ja": (4, 14), "en": (7, 25)}
"""Characters in a second, at least and at most."""

SNAPSHOTS = st.builds(
    Snapshot,
    language=st.just(Language.JA),
    facility=st.sampled_from(["clinic", "pharmacy"]),
    help=st.sampled_from(list(HelpTopic)),
    notice=st.sampled_from(["", *wording.NOTICES]),
    screen=st.sampled_from(prompts.SCREENS),
    occasion=st.integers(0, 2),
    question=st.sampled_from(list(Item)),
    question_number=st.integers(1, prompts.MOST_QUESTIONS),
    question_count=st.integers(0, prompts.MOST_QUESTIONS),
    subsidy_number=st.integers(0, 4),
    subsidy_count=st.integers(0, 4),
    methods=st.sampled_from([(), (Method.FACE,), (Method.PIN,), BY_CARD, BY_PHONE]),
    phones_ready=st.booleans(),
    phone=st.sampled_from(["", *BY_PHONE]),
    by_phone=st.booleans(),
    reading_phone=st.booleans(),
    pin_digits=st.integers(0, 4),
    pin_tries_left=st.none() | st.integers(0, 15),
    guidance=st.sampled_from(["", *Guidance]),
    failure=st.sampled_from(["", *FailureCode]),
    card_in=st.booleans(),
    seconds_left=st.none() | st.integers(0, 60),
    reminders=st.integers(0, 3),
)


def spoken(text: str) -> str:
    return f"{text}。"


@given(SNAPSHOTS, SNAPSHOTS, st.sampled_from(SPOKEN))
def test_whatever_happens_only_sentences_with_a_recording_are_said(
    before: Snapshot, now: Snapshot, language: Language
) -> None:
    before, now = replace(before, language=language), replace(now, language=language)
    assert {*whole(now), *news(before, now)} <= every_sentence(language)
    same_screen = replace(now, seconds_left=before.seconds_left, pin_digits=before.pin_digits)
    assert set(news(same_screen, now)) <= every_sentence(language)


def test_every_sentence_has_its_recording_and_no_recording_is_left_over() -> None:
    """After a text was changed: python -m reception.speech.render (see reception/speech/SOURCES.md)."""
    said = {sentence for language in SPOKEN for sentence in every_sentence(language)}
    wanted = {sounds.file_of(sentence).name: sentence for sentence in said}
    there = {path.name for path in sounds.FOLDER.iterdir()}
    assert [wanted[name] for name in wanted if name not in there] == []
    assert there - set(wanted) == set()


@pytest.mark.parametrize("language", SPOKEN)
def test_every_recording_is_as_long_as_its_sentence_and_as_loud_as_the_others(language: str) -> None:
    slowest, quickest = PACE[language]
    for sentence in every_sentence(language):
        samples = sounds.read(sounds.file_of(sentence)).astype(float) / 32767
        seconds = samples.size / sounds.RATE
        # Digits take longer than letters, and either language says one sentence of the other.
        letters = len(re.sub(r"\d", "1234", sentence))
        if sentence != prompts.KEY_TONE and sentence.isascii() == (language == "en"):
            assert slowest < letters / seconds < quickest, f"{sentence}: {seconds:.1f} s"
        assert 0.08 < np.sqrt(np.mean(samples**2)) < 0.10, sentence
        assert np.abs(samples).max() < 0.99, f"{sentence}: overdriven"


def test_a_recording_is_read_as_it_was_written_but_for_the_noise_of_eight_bits(tmp_path: Path) -> None:
    """The levels are those of ITU-T G.711: some of its table, and never further off than its steps."""
    assert [int(sounds.LEVELS[code]) for code in (0x00, 0x7F, 0x80, 0x8F, 0xFE, 0xFF)] == [
        *(-32124, 0, 32124, 16764, 8, 0),
    ]
    loud = np.arange(-32000, 32001, 7, dtype=np.int16)
    sounds.write(tmp_path / "all.ulaw", loud)
    read = sounds.read(tmp_path / "all.ulaw").astype(float)
    assert np.all(np.abs(read - loud) <= 4 + np.abs(loud) / 31)


@pytest.mark.parametrize("language", SPOKEN)
@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_is_said_with_what_to_do(code: FailureCode, language: Language) -> None:
    t, failure = catalogue(language), FAILURES[code]
    said = t.joined(*whole(Snapshot(language=language, screen="CALL_STAFF", failure=code, card_in=True)))
    for text in (failure.what, failure.next_step):
        assert re.sub("[「」“”]", "", t(text)) in said


def test_an_early_end_is_never_said_as_complete_and_a_complete_one_is() -> None:
    ended = replace(SAMPLES["01-waiting"], failure=FailureCode.CONSENT_CARD_REMOVED)
    assert whole(ended)[0] == NOT_COMPLETE
    assert whole(SAMPLES["16-take-card"])[0] == spoken(wording.CHECKED_IN) == whole(SAMPLES["18-complete"])[0]
    others = [sample for sample in SAMPLES.values() if not sample.completed]
    assert not any(spoken(wording.CHECKED_IN) in whole(sample) for sample in others)


def test_all_guidance_of_the_face_gate_is_said_when_it_changes_and_lets_a_sentence_end() -> None:
    before = SAMPLES["07-face-match-good"]
    for guidance in Guidance:
        now = replace(before, guidance=guidance)
        assert len(news(before, now)) == 1
        assert prompts.waits_its_turn(before, now)


def test_the_warning_before_the_time_is_over_says_what_the_end_means_and_how_to_go_on() -> None:
    before = SAMPLES["12-consent-medication"]
    warning = news(before, replace(before, seconds_left=20))
    assert warning == (
        "まもなく、時間切れです。",
        "このままでは、同意しないになります。",
        "こめじるしを押すと、時間をのばします。",
    )
    assert news(replace(before, seconds_left=20), replace(before, seconds_left=19)) == ()


@pytest.mark.parametrize("language", SPOKEN)
def test_the_name_of_a_certificate_is_never_said_but_which_one_it_is(language: Language) -> None:
    """It may name an illness, and who waits nearby hears the voice."""
    asked, summary = (
        replace(SAMPLES[name], language=language) for name in ("39-certificates", "39-certificates-summary")
    )
    changed = replace(summary, answers=tuple((item, ConsentAnswer.GIVEN) for item, _ in summary.answers))
    said = [*whole(asked), *whole(summary), *news(summary, changed)]
    assert not any(name in sentence for sentence in said for name in asked.subsidies)
    second = catalogue(language)(wording.CERTIFICATES[1])
    assert any(second in sentence for sentence in whole(asked))
    assert any(second in sentence for sentence in whole(summary))
    used = catalogue(language)("利用する")
    only_second = replace(
        summary, answers=(*summary.answers[:3], (Item.MEDICAL_SUBSIDY, ConsentAnswer.GIVEN))
    )
    stop = "。" if language is Language.JA else "."
    assert news(summary, only_second) == (second + stop, used + stop)


def test_a_summary_with_more_rows_than_digits_can_still_be_sent_by_a_key() -> None:
    """Nine digits: the last one sends, and what has none is changed by hand."""
    items = [item for item in Item if item is not Item.MEDICAL_SUBSIDY] + [Item.MEDICAL_SUBSIDY] * 4
    full = replace(
        SAMPLES["39-certificates-summary"], answers=tuple((item, ConsentAnswer.GIVEN) for item in items)
    )
    offered = menu.choices(replace(full, subsidy_count=4))
    assert len(offered) == 9 and offered[-1].event == flow.ConfirmAnswers()


def test_a_forgotten_card_is_called_for_with_every_reminder() -> None:
    before = SAMPLES["16-take-card"]
    for count in (1, 2, 3):
        assert news(replace(before, reminders=count - 1), replace(before, reminders=count))[0] == (
            "カードをお忘れなく。"
        )


def test_the_tries_left_are_said_before_the_pin_is_typed() -> None:
    assert "入力できるのは、残り2回です。" in whole(SAMPLES["09-pin-wrong"])
    assert "暗証番号がちがいます。" in whole(SAMPLES["09-pin-wrong"])
    assert "暗証番号を入力できるのはあと1回です。" in whole(SAMPLES["10-last-try"])


def test_a_typed_digit_is_the_same_tone_whichever_it_was() -> None:
    empty = replace(SAMPLES["08-pin-entry"], pin_digits=0)
    said = [
        news(replace(empty, pin_digits=count), replace(empty, pin_digits=count + 1)) for count in range(4)
    ]
    assert said == [("♪",)] * 3 + [("4桁、入力されました。", "エンターを押してください。")]
    assert news(replace(empty, pin_digits=2), empty) == ("暗証番号が、全部消えました。",)


def test_joined_sentences_are_their_recordings_with_a_pause_and_the_volume_asked_for() -> None:
    sentences = tuple(random.Random(1).sample(sorted(every_sentence(Language.JA)), 3))
    loud, soft = (np.frombuffer(sounds.joined(sentences, volume), "<i2") for volume in (1.0, 0.5))
    lengths = [sounds.read(sounds.file_of(sentence)).size for sentence in sentences]
    assert loud.size == sum(lengths) + 3 * int(sounds.PAUSE_S * sounds.RATE)
    assert np.abs(loud / 2 - soft).max() <= 1
    assert sounds.joined((), 1.0) == b""
