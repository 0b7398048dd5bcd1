"""A simulated person: card, certificate, insurance and recorded clip, read from a person file."""

from collections.abc import Iterable, Iterator
from dataclasses import field, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field
from pydantic.dataclasses import dataclass

from config import HOME
from config.insurance import Insurance, Subsidy, faults, subsidy_faults
from config.records import Checkup, Dispensing, RemoteConsent
from config.toml_file import STRICT, ConfigError, Key, TomlFile

__all__ = [
    "CardKind",
    "CertificateState",
    "ForeignKind",
    "Insurance",
    "Person",
    "PersonCard",
    "PersonCertificate",
    "PersonClip",
    "everybody",
    "insured",
    "load_person",
    "shipped_people",
]

JAPAN = timezone(timedelta(hours=9))

ForeignKind = Literal["juki", "transit", "payment", "mute"]
"""Cards that a terminal must refuse: the old 住民基本台帳カード, a FeliCa-like and an EMV-like one, one upside down."""
CardKind = (
    Literal["standard", "face-only", "no-photo", "no-certificate", "phone-android", "phone-ios"] | ForeignKind
)
CardGeneration = Literal["current", "next"]
"""next: the card announced for 2028, whose certificates have P-384 keys."""
Forgery = Literal[
    "",
    "cloned",
    "photo-of-another",
    "photo-re-signed",
    "authority-expired",
    "authority-unknown",
    "relayed",
]
"""What is wrong with a card that is not what it claims to be; see hardware.simulation.virtual_card.forged."""
CertificateState = Literal["good", "revoked", "on-hold", "unknown"]
Kana = Annotated[str, Field(max_length=100)]


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
    generation: CardGeneration = "current"
    foreign_resident: bool = False
    """The holder is a foreign resident: 照合番号B has the year of birth of the common era."""
    forgery: Forgery = ""
    forger_photo: str = ""
    """Whose portrait stands on a forged card, as ``photo``; empty: ``photo``."""

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
class PersonClip:
    """Recorded frames of the person; generated from the photo when the path is empty."""

    path: str = ""


@dataclass(frozen=True, config=STRICT)
class Person:
    """Everything that one simulated person brings."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    name_kana: Kana
    birth_date: Annotated[date, Field(ge=date(1850, 1, 1), le=date(2150, 12, 31))]
    """Of somebody whose day of birth is unknown: the day that the insurers take in its place."""
    sex: Literal[1, 2, 3]
    address: Annotated[str, Field(max_length=200)]
    card: PersonCard
    certificate: PersonCertificate
    insurance: Insurance = field(default_factory=Insurance)
    clip: PersonClip = field(default_factory=PersonClip)
    post_number: Annotated[str, Field(pattern=r"^([0-9]{7})?$")] = ""
    other_name: Annotated[str, Field(max_length=100)] = ""
    """通称名, as foreign residents may have one."""
    other_name_kana: Kana = ""
    subsidies: Annotated[tuple[Subsidy, ...], Field(max_length=20)] = ()
    """受給者証 of medical subsidies, also those that have ended or have not begun."""
    dispensings: tuple[Dispensing, ...] = ()
    """Drugs that pharmacies and hospitals gave out, made up."""
    checkups: tuple[Checkup, ...] = ()
    remote_consents: tuple[RemoteConsent, ...] = ()
    """Consents given at home visits or online, where no terminal stands."""
    id: str = ""
    """File name without suffix; set by load_person."""


def load_person(name: str, beside: Path | None = None, day: date | None = None) -> Person:
    """Load ``config/people/NAME.toml``, or the file at a path relative to the folder ``beside``.

    Paths inside the file are resolved relative to it. What cannot be is refused: raises ConfigError with every fault of
    the file. ``day``: when a stated ``validity`` must hold; None: today.
    """
    path = _person_file(name, beside)
    file = TomlFile.read(path)
    today = day or datetime.now(JAPAN).date()
    person = file.parse(Person, check=lambda person: _faults(person, "id" in file.data, today))
    card, clip = person.card, person.clip
    if _is_path(card.photo):
        card = replace(card, photo=str((path.parent / card.photo).resolve()))
    if _is_path(card.forger_photo):
        card = replace(card, forger_photo=str((path.parent / card.forger_photo).resolve()))
    if clip.path:
        clip = replace(clip, path=str((path.parent / clip.path).resolve()))
    return replace(person, id=path.stem, card=card, clip=clip)


def _faults(person: Person, names_id: bool, today: date) -> Iterator[tuple[Key, str]]:
    if names_id:
        yield ("id",), "is not a known key"
    if (person.card.kind == "no-photo") != (person.card.photo == ""):
        yield ("card", "photo"), "a photo is needed for every kind of card but no-photo"
    if not person.name.split():
        yield ("name",), "should not be blank"
    if person.birth_date > today:
        yield ("birth_date",), f"{person.birth_date} is to come"
    if not person.card.is_foreign:
        yield from faults(person.insurance, person.birth_date, today)
    yield from subsidy_faults(person.subsidies, person.birth_date)


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
