"""Looks at a JPEG 2000 picture without decoding it: nothing reaches the decoder that would cost much memory or time.

Layout: ISO/IEC 15444-1, Annex I (boxes) and Annex A (codestream). A decoder takes the first codestream that it meets,
and so does this look: what stands behind it is not decoded, and boxes that cost nothing are nobody's business. Whether
the rest is a picture is for the decoder to say.
"""

import struct
from collections.abc import Iterator

MAX_SIDE = 1024
"""Pixels; a card photo has 240 x 320. The decoder takes at most 60 MB for a picture of this size (measured)."""
_MAX_COMPONENTS = 4
"""Of the picture, and of its palette: a decoder makes a plane of each."""
_MAX_TILES = 64
_MAX_BOXES = 256
_SIGNATURE = bytes.fromhex("0000000C6A5020200D0A870A")
_CODESTREAM = b"\xff\x4f\xff\x51"
"""SOC and SIZ, with which every codestream begins; a picture may be nothing but that."""
_END = b"\xff\xd9"


class Jp2Error(ValueError):
    """The picture is refused; ``str()`` says what it does wrong, as a predicate."""


def picture_size(picture: bytes) -> tuple[int, int]:
    """Return width and height in px of a JP2 file or a bare codestream; raises Jp2Error for what costs too much."""
    if picture.startswith(_CODESTREAM):
        return _stream_size(picture)
    if not picture.startswith(_SIGNATURE):
        raise Jp2Error("is not JPEG 2000")
    header = None
    for kind, body in _boxes(picture, len(_SIGNATURE)):
        if kind == b"jp2h" and header is None:
            header = _header_size(body)
        elif kind == b"jp2c":
            if header is None:
                raise Jp2Error("has no image header")
            stream = _stream_size(body)
            if header != stream:
                raise Jp2Error("has a header that disagrees with its data")
            return stream
    raise Jp2Error("has no codestream")


def _boxes(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of the boxes from an offset on; size 0 means up to the end, 1 that 64 bits follow."""
    for _ in range(_MAX_BOXES):
        if at == len(data):
            return
        size, start = int.from_bytes(data[at : at + 4]), 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16]), 16
        elif size == 0:
            size = len(data) - at
        if size < start or at + size > len(data):
            raise Jp2Error("is cut short")
        yield data[at + 4 : at + 8], data[at + start : at + size]
        at += size
    raise Jp2Error("has too many boxes")


def _header_size(body: bytes) -> tuple[int, int]:
    size = None
    for kind, content in _boxes(body, 0):
        if kind == b"ihdr" and size is None and len(content) == 14:
            height, width = struct.unpack(">II", content[:8])
            size = width, height
        elif (kind == b"pclr" and (len(content) < 3 or content[2] > _MAX_COMPONENTS)) or (
            kind == b"cmap" and len(content) > 4 * _MAX_COMPONENTS
        ):
            raise Jp2Error("has a palette of many colours for each point")
    if size is None:
        raise Jp2Error("has no image header")
    return size


def _stream_size(stream: bytes) -> tuple[int, int]:
    """Check the codestream's SIZ segment, by which the decoder takes memory."""
    if len(stream) < 42 or stream[:4] != _CODESTREAM:
        raise Jp2Error("has no codestream")
    x, y, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = struct.unpack(">8IH", stream[8:42])
    if not (x0 < x and y0 < y and tile_x0 <= x0 and tile_y0 <= y0 and tile_x and tile_y):
        raise Jp2Error("has an impossible geometry")
    width, height = x - x0, y - y0
    tiles = -(-(x - tile_x0) // tile_x) * -(-(y - tile_y0) // tile_y)
    if max(x, y) > MAX_SIDE or not 1 <= components <= _MAX_COMPONENTS or tiles > _MAX_TILES:
        raise Jp2Error(f"claims to have {width} x {height} px in {components} colours and {tiles} tiles")
    if len(stream) < 42 + 3 * components or stream.rfind(_END) < 42:
        raise Jp2Error("is cut short")
    return width, height
