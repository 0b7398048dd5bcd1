"""Invented medical history of a simulated person: drugs, health checkups, consents given away from a terminal."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from config.toml_file import STRICT

Words = Annotated[str, Field(max_length=100)]
Code = Annotated[str, Field(pattern=r"^[0-9A-Z]{0,20}$")]


@dataclass(frozen=True, config=STRICT)
class Drug:
    """One drug as it was given out."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    amount: Annotated[str, Field(pattern=r"^[0-9]{1,5}(\.[0-9]{1,3})?$")]
    """Of ``unit``, for a day or for a time of use."""
    unit: Words
    usage: Words = ""
    times: Annotated[int, Field(ge=1, le=999)] = 1
    """Days, or times of use."""
    code: Code = ""
    """Nine digits of the 医薬品コード."""
    ingredient: Words = ""


@dataclass(frozen=True, config=STRICT)
class Dispensing:
    """Drugs that were prescribed and given out on one day."""

    prescribed_on: date
    drugs: Annotated[tuple[Drug, ...], Field(min_length=1, max_length=50)]
    dispensed_on: date | None = None
    """None: the day of the prescription."""
    clinic: Words = "テスト医院"
    clinic_code: Annotated[str, Field(pattern=r"^([0-9]{10})?$")] = ""
    pharmacy: Words = ""
    """Empty: given out by the clinic itself."""
    in_hospital: bool = False


@dataclass(frozen=True, config=STRICT)
class CheckupItem:
    """One value, or one answer to the questionnaire."""

    code: Code
    name: Words
    value: Words
    unit: Words = ""
    kind: Literal["PQ", "CD", "ST"] = "PQ"
    """PQ a quantity, CD a code whose meaning ``meaning`` says, ST text."""
    meaning: Words = ""


@dataclass(frozen=True, config=STRICT)
class Checkup:
    """A 特定健診 or 高齢者健診."""

    day: date
    items: Annotated[tuple[CheckupItem, ...], Field(min_length=1, max_length=200)]


@dataclass(frozen=True, config=STRICT)
class RemoteConsent:
    """A consent at a home visit or online."""

    kind: Literal["home", "online"]
    given_on: date
    ends_on: date | None = None
    """Last day on which it holds; None: until it is withdrawn."""
    examined_on: date | None = None
    """Day of the online consultation."""
