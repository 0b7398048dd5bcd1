"""A simulated person: card, certificate, insurance and recorded clip, read from a person file."""

from collections.abc import Iterable
from dataclasses import field, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field
from pydantic.dataclasses import dataclass

from config import HOME
from config.toml_file import STRICT, ConfigError, TomlFile

ForeignKind = Literal["juki", "transit", "payment", "mute"]
"""Cards that a terminal must refuse: the old 住民基本台帳カード, a FeliCa-like and an EMV-like one, one upside down."""
CardKind = Literal["standard", "face-only", "no-photo", "phone-android", "phone-ios"] | ForeignKind
CertificateState = Literal["good", "revoked", "on-hold", "unknown"]
CardClassification = Literal["01", "02", "03", "04", "05", "06", "07", "A1"]
ReasonOfLoss = Literal["", "01", "02", "03", "99"]
SpecificDisease = Literal[1, 2, 3]
Validity = Literal["valid", "invalid", "superseded", "not-found", "ambiguous", "unregistered"]


@dataclass(frozen=True, config=STRICT)
class PersonCard:
    """The card the person holds."""

    expires: date
    security_code: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    kind: CardKind = "standard"
    pin: Annotated[str, Field(pattern=r"^[0-9]{4}$")] = "1234"
    pin_tries_left: Annotated[int, Field(ge=0, le=3)] = 3
    photo: str = ""
    """A built-in portrait, or the resolved path of an image; empty only for kind ``no-photo``."""

    @property
    def is_phone(self) -> bool:
        """Say whether it is a phone that holds the certificate, and no card."""
        return self.kind.startswith("phone-")

    @property
    def is_foreign(self) -> bool:
        """Say whether it is no My Number card at all, or one that cannot be read."""
        return self.kind in get_args(ForeignKind)


@dataclass(frozen=True, config=STRICT)
class PersonCertificate:
    """The user-authentication certificate (利用者証明用電子証明書) on the card."""

    expires: date
    status: CertificateState = "good"
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Of a real card's certificate (DER), hex: who shows it is this person. Empty: the test authority issues one."""
    issue: Annotated[int, Field(ge=1, le=1000)] = 1
    """The how-manieth certificate of this holder it is; each has keys of its own."""


@dataclass(frozen=True, config=STRICT)
class Insurance:
    """What the eligibility-confirmation server knows of the person's insurance."""

    registered: bool = True
    validity: Validity = "valid"
    insurer_number: Annotated[str, Field(pattern=r"^[0-9]{6,8}$")] = "06139999"
    symbol: str = ""
    number: str = ""
    branch: Annotated[str, Field(pattern=r"^[0-9]{2}$")] = "00"
    share: Annotated[int, Field(ge=0, le=100)] = 30
    """The patient's part of the cost, in percent."""
    limit_category: Annotated[str, Field(pattern=r"^([AB][0-9]{2})?$")] = ""
    insurer_name: Annotated[str, Field(max_length=100)] = "テスト健康保険組合"
    family: bool = False
    """Insured as a family member (家族) of ``insured_name``."""
    insured_name: Annotated[str, Field(max_length=100)] = ""
    """Whose insurance it is; empty: the person's own."""
    classification: CardClassification = "01"
    """被保険者証区分: 01 一般 … A1 医療扶助 (facts: OQSCD list)."""
    qualified_on: date = date(2020, 4, 1)
    issued_on: date | None = None
    """交付年月日; None: the day of qualification."""
    lost_on: date | None = None
    """Day of disqualification; None: none is known."""
    reason_of_loss: ReasonOfLoss = ""
    """01 death, 02 public assistance, 03 other insurance, 99 other."""
    specific_diseases: tuple[SpecificDisease, ...] = ()
    """特定疾病療養受療証: 1 dialysis, 2 haemophilia, 3 HIV."""


@dataclass(frozen=True, config=STRICT)
class PersonClip:
    """Recorded frames of the person; generated from the photo when the path is empty."""

    path: str = ""


@dataclass(frozen=True, config=STRICT)
class Person:
    """Everything that one simulated person brings."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    name_kana: Annotated[str, Field(max_length=100)]
    birth_date: date
    sex: Literal[1, 2, 3]
    address: Annotated[str, Field(max_length=200)]
    card: PersonCard
    certificate: PersonCertificate
    insurance: Insurance = field(default_factory=Insurance)
    clip: PersonClip = field(default_factory=PersonClip)
    post_number: Annotated[str, Field(pattern=r"^([0-9]{7})?$")] = ""
    id: str = ""
    """File name without suffix; set by load_person."""


def load_person(name: str, beside: Path | None = None) -> Person:
    """Load ``config/people/NAME.toml``, or the file at a path relative to the folder ``beside``.

    Paths inside the file are resolved relative to it. Raises ConfigError.
    """
    path = _person_file(name, beside)
    file = TomlFile.read(path)
    if "id" in file.data:
        raise file.mistake(("id",), "is not a known key")
    person = file.parse(Person)
    if (person.card.kind == "no-photo") != (person.card.photo == ""):
        raise file.mistake(("card", "photo"), "a photo is needed for every kind of card but no-photo")
    card, clip = person.card, person.clip
    if _is_path(card.photo):
        card = replace(card, photo=str((path.parent / card.photo).resolve()))
    if clip.path:
        clip = replace(clip, path=str((path.parent / clip.path).resolve()))
    return replace(person, id=path.stem, card=card, clip=clip)


def shipped_people() -> dict[str, Path]:
    """Return the people that come with the product, by id."""
    return {path.stem: path for path in sorted((HOME / "people").glob("*.toml"))}


def _person_file(name: str, beside: Path | None) -> Path:
    if not _is_path(name) and not name.endswith(".toml"):
        if name not in shipped_people():
            raise ConfigError(
                f"person {name!r}: there is no such person; known: {', '.join(shipped_people())}"
            )
        return shipped_people()[name]
    path = (beside or Path()) / name
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such person file")
    return path


def _is_path(text: str) -> bool:
    return "/" in text or "." in text


def everybody() -> list[Person]:
    """Return the shipped people."""
    return [load_person(name) for name in shipped_people()]


def insured(people: Iterable[Person]) -> list[Person]:
    """Return those whom a server can know: who comes with a foreign card shows no certificate."""
    return [one for one in people if not one.card.is_foreign]
