"""The limit category in words, with the month's amount: for staff only, the patient is never shown an amount."""

from datetime import date

from config.limits import Limits
from consent.copay_limits import monthly_limit

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


def limit_words(category: str, limits: Limits, day: date, birth_date: date) -> str:
    """Say what a category means in the month of ``day``; "-" without one."""
    if not category:
        return "-"
    named = f"区分{NAMES[category]} ({category})" if category in NAMES else category
    limit = monthly_limit(limits, category, day, 0, birth_date)
    if limit is None:
        return f"{named} (この月の金額は登録されていません)"
    household = f"月額 {limit.household:,} 円"
    if limit.one_percent_above:
        household += f" (医療費が {limit.one_percent_above:,} 円を超えた分の1%を加算)"
    parts = [
        household,
        f"4回目から {limit.fourth:,} 円" if limit.fourth else "",
        f"外来 {limit.outpatient:,} 円" if limit.outpatient else "",
        f"外来の年間 {limit.outpatient_year:,} 円" if limit.outpatient_year else "",
    ]
    unsure = "、金額は未確認です" if limit.unverified else ""
    return f"{named}: {'、'.join(filter(None, parts))}{unsure}"
