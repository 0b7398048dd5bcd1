"""Every text that a patient reads or hears, in every language; the Japanese texts in the code are the source."""

import gettext
from functools import cache
from pathlib import Path

CATALOGUES = Path(__file__).parent / "catalogues"
"""One ``LANGUAGE.po`` for translators and one ``LANGUAGE.mo`` made of it; none for Japanese (a test compares them)."""

LANGUAGES = {
    "ja": "日本語",
    "ja-easy": "やさしい にほんご",
    "en": "English",
    "zh": "中文",
    "ko": "한국어",
    "pt": "Português",
    "vi": "Tiếng Việt",
}
"""Every language by its code, in its own name; "ja-easy" is Japanese in short sentences and hiragana."""

UNOFFICIAL = ("en", "zh", "ko", "pt", "vi")
"""Nobody official has worded or checked these."""


def N_(text: str) -> str:  # noqa: N802 gettext's own name for it
    """Mark a text for the catalogues that is translated later."""
    return text


AT_PHARMACY = {
    "医師・薬剤師に提供する情報を選んでください": N_("薬剤師に提供する情報を選んでください"),
    "医師・薬剤師などが見ます": N_("薬剤師などが見ます"),
    "この医療機関・薬局が見ます": N_("この薬局が見ます"),
    "これまでのお薬と診療の情報を、医師・薬剤師に提供しますか。": N_(
        "これまでのお薬と診療の情報を、薬剤師に提供しますか。"
    ),
    "過去に受けた診療の情報を、医師・薬剤師に提供しますか。": N_(
        "過去に受けた診療の情報を、薬剤師に提供しますか。"
    ),
    "過去に受けた手術の情報を、医師・薬剤師に提供しますか。": N_(
        "過去に受けた手術の情報を、薬剤師に提供しますか。"
    ),
    "過去に受けた健診の結果を、医師・薬剤師に提供しますか。": N_(
        "過去に受けた健診の結果を、薬剤師に提供しますか。"
    ),
    "特定疾病の情報を、この医療機関・薬局に提供しますか。": N_("特定疾病の情報を、この薬局に提供しますか。"),
    "お呼びするまでお待ちください": N_("お薬の用意ができるまでお待ちください"),
}
"""What a pharmacy says otherwise."""


class Catalogue:
    """The texts in one language: ``t = catalogue("en")``, then ``t("日本語の文")``."""

    def __init__(self, language: str, facility: str) -> None:
        """Raises KeyError for a language that there is not, OSError when its catalogue cannot be read."""
        self._otherwise = AT_PHARMACY if facility == "pharmacy" else {}
        self.name = LANGUAGES[language]
        self.language = language
        self._messages = gettext.NullTranslations()
        if language != "ja":
            with (CATALOGUES / f"{language}.mo").open("rb") as file:
                self._messages = gettext.GNUTranslations(file)

    def __call__(self, text: str, **values: object) -> str:
        """Return a Japanese text in this language, with the values in the places named for them in braces."""
        told = self._messages.gettext(self._otherwise.get(text, text)) if text else ""
        return told.format(**values) if values else told

    @property
    def spaced(self) -> bool:
        """Sentences of this language stand apart by a space."""
        return self.language not in ("ja", "zh")

    def joined(self, *texts: str) -> str:
        """Return sentences of this language as one text; empty ones are left out."""
        return (" " if self.spaced else "").join(filter(None, texts))


@cache
def catalogue(language: str, facility: str = "clinic") -> Catalogue:
    """Return the texts in a language at a "clinic" or a "pharmacy"; errors as of Catalogue."""
    return Catalogue(language, facility)
