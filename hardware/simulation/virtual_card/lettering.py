"""Text as a card prints it on its face: a black and white PNG."""

from functools import cache
from io import BytesIO
from typing import Any

_FONTS = ("NotoSansCJK-Regular.ttc", "ipag.ttf", "ipagp.ttf", "IPAexGothic.ttf", "DroidSansFallbackFull.ttf")
"""Looked for by name in the system's font folders; without any of them Latin letters only are drawn."""


@cache
def lettering(text: str) -> bytes:
    """Return the text as a 1-bit PNG, 24 px high; a square stands for each letter that no font here has."""
    from PIL import Image, ImageDraw

    font = _font()
    box = ImageDraw.Draw(Image.new("1", (1, 1))).textbbox((0, 0), text or " ", font=font)
    image = Image.new("1", (max(1, min(2048, int(box[2]) + 2)), 24), 1)
    ImageDraw.Draw(image).text((1, 0), text, fill=0, font=font)
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@cache
def _font() -> Any:
    from PIL import ImageFont

    for name in _FONTS:
        try:
            return ImageFont.truetype(name, 18)
        except OSError:
            continue
    return ImageFont.load_default(18)
