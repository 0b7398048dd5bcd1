"""How long a bench waits for people, devices and server: one fast profile, and those that must differ from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import config
from config.toml_file import TomlFile


@dataclass(frozen=True, eq=False)
class TimingProfile:
    """Settings, in seconds, by table; what a table leaves out is as shipped."""

    delays: Mapping[str, float] = field(default_factory=dict)
    server: Mapping[str, float] = field(default_factory=dict)
    face: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    confirm_answers: bool = False
    """Nobody looks through the answers before they are sent."""

    def but(self, **tables: Mapping[str, Any]) -> "TimingProfile":
        """Return a profile in which these settings are others."""
        changed: dict[str, Any] = {name: {**getattr(self, name), **table} for name, table in tables.items()}
        return replace(self, **changed)

    def tables(self) -> dict[str, Any]:
        """Return the tables as they stand in a configuration file."""
        tables = {
            name: dict(table) for name, table in vars(self).items() if isinstance(table, Mapping) and table
        }
        return {"confirm_answers": self.confirm_answers, **tables}

    def settings(self, **tables: Mapping[str, Any]) -> config.Config:
        """Return the shipped settings with this profile, and with other ``tables`` beside it; raises ConfigError."""
        said = self.tables() | tables
        return config.load(None, (said, TomlFile(Path("bench"), "", said)))


FAST = TimingProfile(
    delays={
        "told_s": 0.03,
        "farewell_s": 0.03,
        "matched_s": 0.0,
        "notice_s": 0.05,
        "call_staff_s": 0.05,
        "device_retry_s": 0.1,
        # What a lost answer carried has long arrived on a bench.
        "settle_s": 0.5,
    }
)
"""Nobody reads the screens of a bench, so what is only there to be read is short."""

FOLLOWED = FAST.but(
    delays={"told_s": 0.3, "farewell_s": 0.3, "notice_s": 2.0, "call_staff_s": 2.0, "device_retry_s": 0.5}
)
"""Slow enough for a scenario's rules and other programs to act on what they see; scenario files are written for it."""

BROKEN_SERVER = FAST.but(server={"connect_timeout_s": 0.8, "read_timeout_s": 0.8, "budget_s": 1.6})
"""A server that will not answer is soon given up."""
