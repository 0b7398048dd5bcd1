"""Bench files: which devices a bench has, whose hands are at them, and the only card that it may touch."""

import dataclasses
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from config import Camera
from config.person import Person, load_person
from config.toml_file import STRICT, ConfigError, TomlFile
from reception.testing.testbench.operators import UNDONE_BY, Hand

if TYPE_CHECKING:
    from cryptography import x509

SIMULATED_READERS = {"": "simulated", "Virtual PCD 00 00": "pcsc"}
"""What ``reader.name`` may be where the operator is simulated: left out, or the reader of a pcscd of our own."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, config=STRICT)
class BenchReader:
    """The card reader."""

    name: str = ""
    """Shell pattern of its PC/SC name."""


@dataclass(frozen=True, config=STRICT)
class BenchCard:
    """The only card that this bench may touch."""

    certificate_sha256: Sha256
    """Of its user-authentication certificate (DER)."""


@dataclass(frozen=True, config=STRICT)
class BenchPhone:
    """The reader that phones are laid on, and the only phone that this bench may touch."""

    name: Annotated[str, Field(min_length=1)]
    certificate_sha256: Sha256


@dataclass(frozen=True, config=STRICT)
class BenchCamera:
    """A camera, or recorded frames in its place."""

    index: Annotated[int, Field(ge=0)] | None = None
    device: str = ""
    rotate: Literal[0, 90, 180, 270] = 0
    mirror: bool = False
    """This and the three before it: as config.Camera."""
    clip: str = ""

    @property
    def real(self) -> Camera | None:
        """The camera; None where frames are recorded or the person's own clip is shown."""
        if self.index is None and not self.device:
            return None
        return Camera(index=self.index or 0, device=self.device, rotate=self.rotate, mirror=self.mirror)


@dataclass(frozen=True, config=STRICT)
class BenchOperator:
    """Whose hands put cards in and pull plugs."""

    kind: Literal["simulated", "person", "command"]
    commands: dict[Hand, Annotated[list[str], Field(min_length=1)]] = field(default_factory=dict)
    """kind command: program and arguments per verb; ``{person}`` and ``{seconds}`` are filled in."""
    limit_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """kind command: how long a program may take."""


@dataclass(frozen=True, config=STRICT)
class BenchServer:
    """What the bench's own server must know to accept a real card."""

    trust_ca: str = ""
    """File of the CA certificates (PEM or DER) that issued the card's certificate."""


@dataclass(frozen=True, config=STRICT)
class BenchPerson:
    """Who the server says the card's holder is."""

    file: str


@dataclass(frozen=True, config=STRICT)
class BenchFile:
    """Everything that a bench file may hold; paths in it are relative to it."""

    operator: BenchOperator
    reader: BenchReader = field(default_factory=BenchReader)
    card: BenchCard | None = None
    phone_reader: BenchPhone | None = None
    camera: BenchCamera = field(default_factory=BenchCamera)
    server: BenchServer = field(default_factory=BenchServer)
    person: BenchPerson | None = None


@dataclasses.dataclass(frozen=True)
class BenchPlan:
    """A bench file that was read and checked, with what it names."""

    path: Path
    file: BenchFile
    clip: Path | None
    holder: Person | None
    """Who the server says the card's holder is; None: the scenario's person."""
    trust_cas: "tuple[x509.Certificate, ...]"

    @property
    def real(self) -> bool:
        """Whether the reader and its card are real."""
        return self.file.operator.kind != "simulated"

    @property
    def simulated_kind(self) -> Literal["simulated", "pcsc"]:
        """Where the operator is simulated: which of the built-in benches its reader is."""
        return "pcsc" if self.file.reader.name else "simulated"

    def holder_of(self, person: Person) -> Person:
        """Return the person as the server must know them: whoever holds the real card, or the real phone."""
        assert self.file.card
        known = self.file.phone_reader if person.card.is_phone else self.file.card
        holder = self.holder or person
        sha256 = known.certificate_sha256 if known else ""
        return replace(holder, certificate=replace(holder.certificate, sha256=sha256))


def load_bench(path: Path) -> BenchPlan:
    """Read a bench file and what it names; raises ConfigError with file, line and key."""
    from consent.server.trusted import load_cas
    from hardware.camera.clips import load_clip

    source = TomlFile.read(path)
    file = source.parse(BenchFile)
    _check(file, source)
    beside = path.parent

    clip: Path | None = None
    holder: Person | None = None
    cas: tuple[x509.Certificate, ...] = ()
    at = ("camera", "clip")
    try:
        if file.camera.clip:
            clip = beside / file.camera.clip
            load_clip(clip)
        at = ("person", "file")
        if file.person:
            holder = load_person(file.person.file, beside)
        at = ("server", "trust_ca")
        if file.server.trust_ca:
            cas = tuple(load_cas(beside / file.server.trust_ca))
    except ConfigError as error:
        raise source.mistake(at, str(error)) from None
    return BenchPlan(path, file, clip, holder, cas)


def _check(file: BenchFile, source: TomlFile) -> None:
    operator = file.operator
    if file.camera.clip and file.camera.real is not None:
        raise source.mistake(("camera", "clip"), "there is a camera index too; one of them is enough")
    if operator.commands and operator.kind != "command":
        raise source.mistake(("operator", "commands"), f"is only for kind command, not {operator.kind}")
    if operator.kind == "simulated":
        _check_simulated(file, source)
        return
    if not file.reader.name:
        raise source.mistake(("reader", "name"), "is missing: which reader holds the card?")
    if file.card is None:
        raise source.mistake(
            ("card", "certificate_sha256"), "is missing: a bench touches one known card only"
        )
    if operator.kind == "command":
        needed: list[Hand] = ["insert_card", "remove_card"]
        for hand in needed + [UNDONE_BY[hand] for hand in operator.commands if hand in UNDONE_BY]:
            if hand not in operator.commands:
                raise source.mistake(("operator", "commands", hand), "is missing")


def _check_simulated(file: BenchFile, source: TomlFile) -> None:
    if file.reader.name not in SIMULATED_READERS:
        known = ", ".join(repr(name) for name in SIMULATED_READERS if name)
        raise source.mistake(
            ("reader", "name"),
            f"{file.reader.name!r} is not allowed: the simulated operator reaches into {known}, "
            "or without a name into a reader in memory",
        )
    for key, given in (("card", file.card), ("phone_reader", file.phone_reader), ("person", file.person)):
        if given is not None:
            raise source.mistake((key,), "is only for a real card; the simulated operator has everybody's")
