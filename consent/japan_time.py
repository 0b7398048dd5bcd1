"""The time in Japan, by which every date on a card, in a certificate and on the wire is meant; light to import."""

from datetime import datetime, timedelta, timezone

JAPAN = timezone(timedelta(hours=9), "JST")


def japan_now() -> datetime:
    """Return the time in Japan, which has no daylight saving."""
    return datetime.now(JAPAN)
