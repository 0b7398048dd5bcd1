"""The authorities whose word on a card's photo counts, read from a file of public keys with their source."""

from dataclasses import field
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from config import HOME
from config.toml_file import STRICT, TomlFile

KEY_ID_BYTES = 16


@dataclass(frozen=True, config=STRICT)
class AuthorityKey:
    """One RSA key, how cards name it, and when it counts."""

    name: Annotated[str, Field(min_length=1)]
    key_id: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}){1,16}$")]
    """Hex, as it stands first in file 0004; filled up with 00 to 16 bytes."""
    modulus: Annotated[str, Field(pattern=r"^\s*([0-9A-Fa-f]\s*){256,1024}$")]
    """Hex; blanks and line ends do not count."""
    begins: date
    source: Annotated[str, Field(min_length=1)]
    """Where the key comes from, for whoever has to trust it."""
    exponent: Annotated[int, Field(ge=3, lt=1 << 32)] = 65537
    ends: date | None = None
    """Its last day; None: no end is known."""

    def id_bytes(self) -> bytes:
        """Return the 16 bytes that name it."""
        return bytes.fromhex(self.key_id).ljust(KEY_ID_BYTES, b"\0")

    def modulus_number(self) -> int:
        """Return the modulus."""
        return int("".join(self.modulus.split()), 16)


@dataclass(frozen=True, config=STRICT)
class _File:
    authority: tuple[AuthorityKey, ...] = field(default_factory=tuple)


def load_authorities(path: Path | None = None) -> tuple[AuthorityKey, ...]:
    """Read a file of authorities, the shipped one by default. Raises ConfigError with file, line and key."""
    file = TomlFile.read(path or HOME / "card_authorities.toml")
    found = file.parse(_File).authority
    ids = [each.id_bytes() for each in found]
    for number, each in enumerate(found):
        if ids.index(each.id_bytes()) != number:
            raise file.mistake(("authority", number, "key_id"), "is another authority's, too")
        if each.ends is not None and each.ends < each.begins:
            raise file.mistake(("authority", number, "ends"), "is before it begins")
    return found
