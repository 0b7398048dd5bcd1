"""The catalogues: every text in every language, nothing Japanese left over, and Japanese that is plain."""

import re
import string
from functools import cache

import pytest

from reception.flow import HelpTopic, Language, StaffText
from reception.flow.failures import FailureCode
from reception.texts import (
    AT_PHARMACY,
    CATALOGUES,
    LANGUAGES,
    N_,
    UNOFFICIAL,
    Catalogue,
    catalogue,
    update,
    wording,
)
from reception.texts.failures import FAILURES, NOT_COMPLETE, TAKE
from tests.support.reference import REFERENCE

TEXTS = list(update.texts())
KANA = re.compile(r"[ぁ-ゖァ-ヺ]")
HAN = re.compile(r"[一-龠]")
JARGON = (
    "ログイン",
    "認証局",
    "サーバー",
    "エラー",
    "タイムアウト",
    "リトライ",
    "アクセス",
    "PIN",
    "IC",
    "失効",
    "APDU",
)
"""What no patient should have to know; 電子証明書 and 暗証番号 stand on their own papers."""


@pytest.fixture(params=update.TRANSLATED)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def translations(language: str) -> dict[str, str]:
    return {str(one.id): str(one.string) for one in update.read(language) if one.id}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_a_language_of_the_flow_has_a_name_and_the_other_way_round() -> None:
    assert set(LANGUAGES) == {language.value for language in Language}


def test_a_catalogue_has_every_text_of_the_source_translated_and_no_other(language: str) -> None:
    """After a text was changed: python -m reception.texts.update, then translate what it names."""
    there = translations(language)
    assert list(there) == TEXTS
    assert [text for text, told in there.items() if not told.strip()] == []


def test_what_is_compiled_is_what_the_translators_wrote(language: str) -> None:
    assert (CATALOGUES / f"{language}.mo").read_bytes() == update.compiled(update.read(language))


def test_a_translation_keeps_the_places_arrows_and_the_end_of_the_sentence(language: str) -> None:
    for text, told in translations(language).items():
        assert places(told) == places(text), told
        assert re.findall("[←→]", told) == re.findall("[←→]", text), told
        assert told == told.strip() and "  " not in told and "\n" not in told, told
        if text[-1] == "。" and text != N_("{number}を押すと。"):
            assert told[-1] in "。.？?!" or told.endswith((")", "）")), told
        elif not text.endswith(("か", ")", "。")) and language not in ("zh", "ko"):
            assert told[-1] not in "。.", told


def test_a_button_named_in_a_text_is_named_as_it_is_labelled(language: str) -> None:
    there = translations(language)
    for text, told in there.items():
        for name in re.findall("「(.*?)」", text):
            quoted = re.search("[「“](.*?)[」”]", told)
            assert quoted is not None, told
            assert quoted[1] == (there[name] if name != "{answer}" else name), told


def test_no_japanese_is_left_over(language: str) -> None:
    for text, told in translations(language).items():
        if language in UNOFFICIAL:
            assert not KANA.search(told.replace("iPhone", "")), told
            assert not HAN.search(told) or language == "zh", told
        else:
            assert not HAN.search(told), f"{text}: not in kana: {told}"


def test_different_texts_are_told_apart_in_every_language(language: str) -> None:
    """Two failures must not become the same words; a text written twice in Japanese may."""
    t = catalogue(language)
    told = [t(failure.what) for failure in dict.fromkeys(FAILURES.values())]
    assert len(set(told)) >= len({failure.what for failure in FAILURES.values()}) - (language == "ja-easy")


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_has_words_and_next_step_in_every_language_a_remedy_and_a_row_in_the_reference(
    code: FailureCode,
) -> None:
    failure = FAILURES[code]
    for name in LANGUAGES:
        t = catalogue(name)
        for text in (failure.what, failure.next_step, NOT_COMPLETE, TAKE):
            assert t(text)
            assert name == "ja" or t(text) != text
    assert failure.staff.endswith("。")
    page = (REFERENCE / "failures.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| {code} \|(.*)\|(.*)\|$", page, re.MULTILINE)
    assert len(rows) == 1
    assert failure.patient in rows[0][0] and failure.next_step in rows[0][0] and failure.staff in rows[0][1]


def test_the_failures_counted_are_those_of_the_reference() -> None:
    table = (REFERENCE / "failures.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| [A-Z_]+ \|", table, re.MULTILINE)) == len(FailureCode) == len(FAILURES)


def test_every_trouble_and_every_text_of_staff_has_words() -> None:
    assert set(wording.HELP) == {topic.value for topic in HelpTopic}
    assert set(wording.STAFF_TEXTS) == set(StaffText) - {StaffText.NONE}


def test_who_lost_a_card_reads_the_hotline_in_every_language(language: str) -> None:
    assert "0120-95-0178" in catalogue(language).joined(
        *map(catalogue(language), wording.HELP[HelpTopic.LOST])
    )


def test_a_pharmacy_speaks_of_pharmacists_and_of_no_doctor() -> None:
    assert set(AT_PHARMACY) <= set(TEXTS)
    assert [text for text in TEXTS if "医師" in text] == [
        text for text in TEXTS if text in AT_PHARMACY and "医師" in text
    ]
    for name in LANGUAGES:
        t = catalogue(name, "pharmacy")
        assert all(t(text) == catalogue(name)(other) for text, other in AT_PHARMACY.items())


def test_values_stand_where_they_belong() -> None:
    assert catalogue("en")(wording.TRIES_LEFT, count=2) == "PIN tries left: 2"
    assert catalogue("ja")(wording.TRIES_LEFT, count=2) == "入力できるのは、残り2回です"
    assert catalogue("en").joined("One.", "", "Two.") == "One. Two."
    assert catalogue("zh").joined("一。", "二。") == "一。二。"


def test_an_unknown_language_is_told_by_name() -> None:
    with pytest.raises(KeyError, match="tlh"):
        Catalogue("tlh", "clinic")


# --- Plain Japanese ----------------------------------------------------------------------------------------------


def sentences(text: str) -> list[str]:
    return [sentence for sentence in re.split("[。()]", text) if sentence]


def test_japanese_is_short_and_without_jargon() -> None:
    for text in TEXTS:
        assert max(map(len, sentences(text))) <= 40, f"longer than a person takes in at once: {text}"
        assert not [word for word in JARGON if word in text.replace("iPhone", "")], text
        assert text.count("、") <= 2 * len(sentences(text)), f"too many parts: {text}"


def test_easy_japanese_is_in_short_words_that_stand_apart() -> None:
    for told in translations("ja-easy").values():
        assert max(map(len, sentences(told))) <= 60, told
        assert max(map(len, re.split("[ 、。・「」/()]", told))) <= 18, told
