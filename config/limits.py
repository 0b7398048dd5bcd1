"""The dated tables of monthly limit amounts, read from limits.toml."""

from dataclasses import field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from config import HOME
from config.toml_file import STRICT, TomlFile

Yen = Annotated[int, Field(gt=0, lt=10_000_000)]
LimitCategory = Annotated[str, Field(pattern=r"^(A0[1-6]|B0[1-9]|B10)$")]


@dataclass(frozen=True, config=STRICT)
class Limit:
    """What one category pays at most, in yen; limits.toml says what each amount is for."""

    household: Yen
    cost_from: Yen | None = None
    fourth: Yen | None = None
    outpatient: Yen | None = None
    outpatient_year: Yen | None = None


@dataclass(frozen=True, config=STRICT)
class LimitTable:
    """The amounts from one day to another, both included."""

    first_day: date
    last_day: date
    unverified: bool
    source: Annotated[str, Field(min_length=1)]
    limits: dict[LimitCategory, Limit]

    @model_validator(mode="after")
    def _has_days(self) -> Self:
        if self.last_day < self.first_day:
            raise ValueError("last_day must not be before first_day")
        return self


@dataclass(frozen=True, config=STRICT)
class Limits:
    """All tables, oldest first."""

    table: tuple[LimitTable, ...] = field(default=())

    @model_validator(mode="after")
    def _one_table_a_day(self) -> Self:
        if any(later.first_day <= earlier.last_day for earlier, later in pairwise(self.table)):
            raise ValueError("tables must stand in order of their days, and no day in two of them")
        return self


def load_limits(path: Path | None = None) -> Limits:
    """Read a limits.toml, the shipped one by default; raises ConfigError."""
    return TomlFile.read(path or HOME / "limits.toml").parse(Limits)
