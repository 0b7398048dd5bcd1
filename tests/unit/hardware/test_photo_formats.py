"""Every photo that the decoder takes is taken, in whatever boxes; what would cost too much never reaches it."""

import struct

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.card.jp2 import Jp2Error, picture_size
from hardware.card.photo import PhotoDamaged, decoded

PICTURE = (np.add.outer(np.arange(320), np.arange(240)) % 251).astype(np.uint8)
SIGNATURE = bytes.fromhex("0000000C6A5020200D0A870A")


def box(kind: bytes, body: bytes) -> bytes:
    return (len(body) + 8).to_bytes(4) + kind + body


def long_box(kind: bytes, body: bytes) -> bytes:
    return (1).to_bytes(4) + kind + (len(body) + 16).to_bytes(8) + body


def encoded(picture: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".jp2", picture, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    assert done
    return bytes(data)


FILE = encoded(PICTURE)
TYPE = box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
STREAM = FILE[FILE.index(b"\xff\x4f\xff\x51") :]
HEADER = box(b"ihdr", struct.pack(">IIHBBBB", 320, 240, 1, 7, 7, 0, 0)) + box(
    b"colr", b"\x01\0\0" + (17).to_bytes(4)
)
GREY = bytes(range(256))
PALETTE = box(b"pclr", struct.pack(">HB", 256, 1) + b"\x07" + GREY) + box(
    b"cmap", struct.pack(">HBB", 0, 1, 0)
)


def jp2(*boxes: bytes) -> bytes:
    return SIGNATURE + TYPE + b"".join(boxes)


TAKEN = {
    "as written": FILE,
    "bare codestream": STREAM,
    "bare codestream, bytes after its end": STREAM + b"\0" * 40,
    "bytes after the file's end": FILE + b"\0" * 40,
    "box after the picture": FILE + box(b"uuid", b"x" * 30),
    "cdef": jp2(box(b"jp2h", HEADER + box(b"cdef", struct.pack(">HHHH", 1, 0, 0, 1))), box(b"jp2c", STREAM)),
    "XLBox around the picture": jp2(box(b"jp2h", HEADER), long_box(b"jp2c", STREAM)),
    "XLBox around the header": jp2(long_box(b"jp2h", HEADER), box(b"jp2c", STREAM)),
    "picture up to the end": jp2(box(b"jp2h", HEADER), (0).to_bytes(4) + b"jp2c" + STREAM),
    "uuid and xml": jp2(
        box(b"uuid", b"x" * 40), box(b"jp2h", HEADER), box(b"xml ", b"<a/>"), box(b"jp2c", STREAM)
    ),
    "sixty free boxes": jp2(box(b"free", b"") * 60, box(b"jp2h", HEADER), box(b"jp2c", STREAM)),
    "resolution": jp2(
        box(b"jp2h", HEADER + box(b"res ", box(b"resc", struct.pack(">HHHHbb", 300, 1, 300, 1, 2, 2)))),
        box(b"jp2c", STREAM),
    ),
    "palette of one colour": jp2(box(b"jp2h", HEADER + PALETTE), box(b"jp2c", STREAM)),
    "two headers": jp2(box(b"jp2h", HEADER), box(b"jp2h", HEADER), box(b"jp2c", STREAM)),
    "two pictures": FILE + box(b"jp2c", STREAM),
    "bytes after the end, within the box": jp2(box(b"jp2h", HEADER), box(b"jp2c", STREAM + b"\0\0\0")),
    "colour": encoded(np.dstack([PICTURE] * 3)),
    "colour and transparency": encoded(np.dstack([PICTURE] * 4)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_the_decoder_takes_is_taken(name: str) -> None:
    assert picture_size(TAKEN[name]) == (240, 320)
    assert decoded(TAKEN[name]).shape == (320, 240)


REFUSED = {
    "no codestream": jp2(box(b"jp2h", HEADER)),
    "no header": jp2(box(b"jp2c", STREAM)),
    "picture before its header": jp2(box(b"jp2c", STREAM), box(b"jp2h", HEADER)),
    "half a codestream": STREAM[: len(STREAM) // 2],
    "other size in the header": jp2(
        box(b"jp2h", box(b"ihdr", struct.pack(">IIHBBBB", 100, 100, 1, 7, 7, 0, 0)) + HEADER[22:]),
        box(b"jp2c", STREAM),
    ),
    "palette of 255 colours": jp2(
        box(b"jp2h", HEADER + box(b"pclr", b"\x01\x00\xff" + b"\x07" * 255 + bytes(65_280))),
        box(b"jp2c", STREAM),
    ),
    "1025 px wide": encoded(np.zeros((40, 1025), np.uint8)),
    "a thousand boxes": jp2(box(b"free", b"") * 1000, box(b"jp2h", HEADER), box(b"jp2c", STREAM)),
    "a box longer than the file": jp2((9999).to_bytes(4) + b"jp2h" + HEADER),
    "PNG": bytes(cv2.imencode(".png", PICTURE)[1]),
    "nothing": b"",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_costs_too_much_or_is_no_picture_is_refused(name: str) -> None:
    with pytest.raises(Jp2Error):
        picture_size(REFUSED[name])
    with pytest.raises(PhotoDamaged):
        decoded(REFUSED[name])
