"""Shipped portraits, and the photo of a card made from a picture."""

from pathlib import Path

HOME = Path(__file__).parent


def portrait_path(name: str) -> Path:
    """Return the still of a shipped portrait, or of the image at path ``name``; raises ConfigError."""
    raise NotImplementedError


def card_photo(path: Path) -> bytes:
    """Return a picture as a My Number card holds it: 240 x 320 px, grey, JPEG 2000 of about 5 KB; raises ConfigError."""
    raise NotImplementedError
