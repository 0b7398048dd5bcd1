"""Follows the snapshots and has said what is new; can repeat it, and be muted until the visit is over."""

from dataclasses import replace
from enum import Enum

from reception.flow import Language
from reception.speech import prompts
from reception.speech.player import Player
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, catalogue

SPOKEN = ("ja", "ja-easy", "en")
"""Languages that are spoken; easy Japanese with the recordings of Japanese."""


class Level(Enum):
    """How loud it is, by what the patient reads on the button, as a share of the volume that is set."""

    NORMAL = (N_("音声: ふつう"), 1.0)
    SOFT = (N_("音声: 小さい"), 0.4)
    OFF = (N_("音声: なし"), 0.0)


class Voice:
    """What the patient hears; call from one thread.

    A visit in a language without recordings is silent rather than in the wrong one.
    """

    def __init__(self, player: Player) -> None:
        self._player = player
        self._level = Level.NORMAL
        self._heard = Snapshot(screen="")

    @property
    def label(self) -> str:
        """How loud it is, in Japanese; empty where nothing can be heard."""
        spoken = self._player.state == "ok" and self._heard.language in SPOKEN
        return self._level.value[0] if spoken else ""

    def follow(self, snapshot: Snapshot) -> None:
        """Say what is new in the snapshot."""
        before, self._heard = self._heard, _as_spoken(snapshot)
        if snapshot.visit != before.visit:
            self._level = Level.NORMAL
        if said := prompts.news(before, self._heard):
            self._say(said, wait=prompts.waits_its_turn(before, self._heard))

    def repeat(self) -> None:
        """Say all of the screen again."""
        self._say(prompts.whole(self._heard))

    def mute(self) -> None:
        """Switch the voice off, or on again with what it has to say."""
        self._become(Level.NORMAL if self._level is Level.OFF else Level.OFF)

    def turn(self) -> None:
        """Go on to the next loudness, round and round."""
        levels = list(Level)
        self._become(levels[(levels.index(self._level) + 1) % len(levels)])

    def close(self) -> None:
        """Be silent for good."""
        self._player.close()

    def _become(self, level: Level) -> None:
        if level is Level.OFF:
            self._say((catalogue(self._heard.language)(prompts.MUTED),))
        self._level = level
        self.repeat()

    def _say(self, sentences: tuple[str, ...], *, wait: bool = False) -> None:
        if self._level is not Level.OFF:
            heard = sentences if self._heard.language in SPOKEN else ()
            self._player.say(heard, wait=wait, share=self._level.value[1])


def _as_spoken(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, language=Language.JA) if snapshot.language is Language.JA_EASY else snapshot
