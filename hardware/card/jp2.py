"""Looks at a JPEG 2000 file without decoding it: nothing reaches the decoder that would cost much memory or time.

Layout: ISO/IEC 15444-1, Annex I (boxes) and Annex A (codestream). A decoder takes the first codestream that it meets
and ignores the rest, so that each part may occur once only: what was looked at here is what will be decoded.
"""

import struct
from collections.abc import Iterator

MAX_SIDE = 1024
"""Pixels; a card photo has 240 x 320. The decoder takes at most 60 MB for a picture of this size (measured)."""
_MAX_COMPONENTS = 3
_MAX_TILES = 64
_MAX_BOXES = 32
_SIGNATURE = bytes.fromhex("0000000C6A5020200D0A870A")
_IN_HEADER = (b"ihdr", b"bpcc", b"colr", b"res ")
"""No palette: it may blow one component up to 255."""


class Jp2Error(ValueError):
    """The picture is refused; ``str()`` says what it does wrong, as a predicate."""


def picture_size(jp2: bytes) -> tuple[int, int]:
    """Return width and height in px; raises Jp2Error for what is no whole JPEG 2000 picture of a sane size."""
    if not jp2.startswith(_SIGNATURE):
        raise Jp2Error("is not JPEG 2000")
    header = stream = None
    for kind, body in _boxes(jp2, len(_SIGNATURE)):
        if kind == b"jp2h":
            if header is not None or stream is not None:
                raise Jp2Error("has more than one header, or one behind its data")
            header = _header_size(body)
        elif kind == b"jp2c":
            if stream is not None:
                raise Jp2Error("has more than one picture")
            stream = _stream_size(body)
    if header is None:
        raise Jp2Error("has no image header")
    if stream is None:
        raise Jp2Error("has no codestream")
    if header != stream:
        raise Jp2Error("has a header that disagrees with its data")
    return stream


def _boxes(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of the boxes that fill ``data`` from an offset on; size 0 means up to the end."""
    for _ in range(_MAX_BOXES):
        if at == len(data):
            return
        size = int.from_bytes(data[at : at + 4]) or len(data) - at
        if size < 8 or at + size > len(data):
            raise Jp2Error("is cut short")
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size
    raise Jp2Error("has too many boxes")


def _header_size(body: bytes) -> tuple[int, int]:
    boxes = list(_boxes(body, 0))
    if not boxes or boxes[0][0] != b"ihdr" or len(boxes[0][1]) != 14:
        raise Jp2Error("has no image header")
    if any(kind not in _IN_HEADER for kind, _ in boxes):
        raise Jp2Error("has a palette, or something else that no card photo has")
    height, width = struct.unpack(">II", boxes[0][1][:8])
    return width, height


def _stream_size(stream: bytes) -> tuple[int, int]:
    """Check the codestream's SIZ segment, by which the decoder takes memory."""
    if len(stream) < 42 or stream[:4] != b"\xff\x4f\xff\x51":
        raise Jp2Error("has no codestream")
    x, y, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = struct.unpack(">8IH", stream[8:42])
    if not (x0 < x and y0 < y and tile_x0 <= x0 and tile_y0 <= y0 and tile_x and tile_y):
        raise Jp2Error("has an impossible geometry")
    width, height = x - x0, y - y0
    tiles = -(-(x - tile_x0) // tile_x) * -(-(y - tile_y0) // tile_y)
    if max(x, y) > MAX_SIDE or not 1 <= components <= _MAX_COMPONENTS or tiles > _MAX_TILES:
        raise Jp2Error(f"claims to have {width} x {height} px in {components} colours and {tiles} tiles")
    sampling = stream[42 : 42 + 3 * components]
    if len(sampling) < 3 * components or any(step != 1 for at, step in enumerate(sampling) if at % 3):
        raise Jp2Error("has colours of unequal size")
    if not stream.endswith(b"\xff\xd9"):
        raise Jp2Error("is cut short")
    return width, height
