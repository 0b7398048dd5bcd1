"""The card's photo while staff compare it with the patient: a PNG in memory that is wiped."""

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from reception.fleet.messages import MessageError

MOST_PIXELS = 1_000_000


@dataclass
class Photo:
    """The picture of one visit; ``png`` is empty when the card's could not be decoded."""

    visit: str
    png: bytearray = field(repr=False)

    @classmethod
    def read(cls, content: Any) -> "Photo":
        """Return the photo of a message; raises MessageError."""
        try:
            width, height = int(content["width"]), int(content["height"])
            grey = base64.b64decode(content["grey"], validate=True)
            visit = str(content["visit"])
        except (TypeError, KeyError, ValueError, binascii.Error):
            raise MessageError("no photo") from None
        if not 0 <= width * height <= MOST_PIXELS or len(grey) != width * height:
            raise MessageError("a photo of another size")
        return cls(visit, bytearray(_png(width, height, grey) if grey else b""))

    def wipe(self) -> None:
        """Make it unreadable."""
        self.png[:] = bytes(len(self.png))


def _png(width: int, height: int, grey: bytes) -> bytes:
    """Return an 8-bit grey PNG (RFC 2083), each line unfiltered."""
    lines = b"".join(b"\0" + grey[at : at + width] for at in range(0, len(grey), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
