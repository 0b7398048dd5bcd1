"""Make the sheets of pages in docs/pictures: screens.png and the gallery-*.png.

Run from the checkout: ``.venv/bin/python docs/pictures/make_sheets.py``. The pages are those of ``./run gallery``.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

OUT = Path(__file__).parent
GAP = 8
GREY = (160, 160, 160)
FIRST = ("22-phone-waiting", "04-method-choice", "12-consent-medication", "16-take-card")
COLOURS = 64


def pages(folder: Path, *options: str) -> list[Path]:
    """Draw every page and return the pictures, in order."""
    command = [sys.executable, "-m", "reception", "gallery", str(folder), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.png"))


def sheet(name: str, pictures: Sequence[Path], columns: int, width: int) -> None:
    """Write pictures side by side, ``columns`` in a row, each ``width`` px wide."""
    images = [Image.open(path).convert("RGB") for path in pictures]
    height = round(images[0].height * width / images[0].width)
    rows = -(-len(images) // columns)
    whole = Image.new("RGB", (columns * (width + GAP) + GAP, rows * (height + GAP) + GAP), GREY)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        small = image.resize((width, height), Image.Resampling.LANCZOS)
        whole.paste(small, (GAP + column * (width + GAP), GAP + row * (height + GAP)))
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(OUT / name, optimize=True)


def main() -> int:
    """Draw and write all sheets."""
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        portrait = pages(folder / "portrait", "--size", "800x1280")
        by_name = {path.stem: path for path in portrait}
        sheet("screens.png", [by_name[name] for name in FIRST], 4, 240)
        sheet("gallery-portrait.png", portrait, 10, 150)
        sheet("gallery-landscape.png", pages(folder / "landscape", "--size", "1366x768"), 6, 260)
        black = pages(folder / "black", "--size", "800x1280", "--language", "en", "--mode", "black")
        in_black = {path.stem: path for path in black}
        sheet("gallery-modes.png", [in_black[name] for name in FIRST], 4, 240)
    return 0


if __name__ == "__main__":
    sys.exit(main())
