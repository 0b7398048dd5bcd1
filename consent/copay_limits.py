"""The monthly limit of a patient's own part (自己負担限度額), for the counter; an estimate, never a promise."""

from dataclasses import dataclass
from datetime import date

from config.limits import Limits
from consent.choices import age_on

LATE_ELDERLY_AGE = 75


@dataclass(frozen=True)
class MonthlyLimit:
    """Amounts in yen."""

    household: int
    one_percent_above: int | None
    """One percent of the total cost above this is in ``household``, or comes on top of it; None: nothing does."""
    fourth: int | None
    """From the fourth month within twelve that reached the limit; None: no lower amount."""
    outpatient: int | None
    """Of one person's outpatient care alone; None: no limit of its own."""
    outpatient_year: int | None
    unverified: bool
    """The table was not checked against an official source."""
    source: str


def monthly_limit(
    limits: Limits, category: str, day: date, total_cost: int, birth_date: date | None = None
) -> MonthlyLimit | None:
    """Return the limits of the month of ``day`` for a total cost (10割) in yen; None where no table knows them.

    ``birth_date`` halves them in the month of the 75th birthday, when two insurances share it.
    """
    table = next((one for one in limits.table if one.first_day <= day <= one.last_day), None)
    if table is None or (limit := table.limits.get(category)) is None:
        return None
    parts = 2 if birth_date and _changes_insurance(birth_date, day) else 1
    household = limit.household // parts
    above = limit.cost_from and limit.cost_from // parts
    if above:
        # One percent, rounded to the yen (rounding from memory).
        household += (max(0, total_cost - above) + 50) // 100
    return MonthlyLimit(
        household=household,
        one_percent_above=above,
        fourth=limit.fourth and limit.fourth // parts,
        outpatient=limit.outpatient and limit.outpatient // parts,
        outpatient_year=limit.outpatient_year,
        unverified=table.unverified,
        source=table.source,
    )


def _changes_insurance(birth_date: date, day: date) -> bool:
    """Say whether the 75th birthday falls in this month; on its first day the whole month is the new insurance's."""
    first = day.replace(day=1)
    after = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    last = date.fromordinal(after.toordinal() - 1)
    return age_on(birth_date, first) < LATE_ELDERLY_AGE <= age_on(birth_date, last)
