"""The limit category in words, with the month's amount: for staff only, the patient is never shown an amount."""

from datetime import date

from config.limits import Limits
from consent.copay_limits import monthly_limit
from reception.counter.english import JAPANESE, Words

NAMES = {
    "A01": "ア",
    "A02": "イ",
    "A03": "ウ",
    "A04": "エ",
    "A05": "オ",
    "A06": "オ(境)",
    "B01": "現役並みⅢ",
    "B02": "現役並みⅡ",
    "B03": "現役並みⅠ",
    "B04": "一般",
    "B05": "低所得Ⅱ",
    "B06": "低所得Ⅰ",
    "B07": "低所得Ⅰ(老福)",
    "B08": "低所得Ⅰ(境)",
    "B09": "一般Ⅱ",
    "B10": "一般Ⅰ",
}
"""By category; a test holds them beside config/limits.toml."""


def limit_words(category: str, limits: Limits, day: date, birth_date: date, t: Words = JAPANESE) -> str:
    """Say what a category means in the month of ``day``, in the language of ``t``; "-" without one."""
    if not category:
        return "-"
    named = category
    if category in NAMES:
        named = t("区分{name} ({code})", name=t(NAMES[category]), code=category)
    limit = monthly_limit(limits, category, day, 0, birth_date)
    if limit is None:
        return f"{named} {t('(この月の金額は登録されていません)')}"
    household = t("月額 {yen} 円", yen=f"{limit.household:,}")
    if limit.one_percent_above:
        above = t("(医療費が {yen} 円を超えた分の1%を加算)", yen=f"{limit.one_percent_above:,}")
        household = f"{household} {above}"
    parts = [
        household,
        t("4回目から {yen} 円", yen=f"{limit.fourth:,}") if limit.fourth else "",
        t("外来 {yen} 円", yen=f"{limit.outpatient:,}") if limit.outpatient else "",
        t("外来の年間 {yen} 円", yen=f"{limit.outpatient_year:,}") if limit.outpatient_year else "",
        t("金額は未確認です") if limit.unverified else "",
    ]
    return f"{named}: {t('、').join(filter(None, parts))}"
