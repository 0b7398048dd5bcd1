"""Follows the snapshots and has said what is new; can repeat it, and be muted until the visit is over."""

from reception.snapshot import Snapshot
from reception.speech import prompts
from reception.speech.player import Player
from reception.texts import catalogue

SPOKEN = ("ja",)
"""Languages that have recordings."""


class Voice:
    """What the patient hears; call from one thread.

    A visit in a language without recordings is silent rather than in the wrong one.
    """

    def __init__(self, player: Player) -> None:
        self._player = player
        self._muted = False
        self._heard = Snapshot(screen="")

    @property
    def muted(self) -> bool:
        """The patient has switched the voice off, for this visit."""
        return self._muted

    def follow(self, snapshot: Snapshot) -> None:
        """Say what is new in the snapshot."""
        before, self._heard = self._heard, snapshot
        if snapshot.visit != before.visit:
            self._muted = False
        if said := prompts.news(before, snapshot):
            self._say(said, wait=prompts.waits_its_turn(before, snapshot))

    def repeat(self) -> None:
        """Say all of the screen again."""
        self._say(prompts.whole(self._heard))

    def mute(self) -> None:
        """Switch the voice off, or on again with what it has to say."""
        if not self._muted:
            self._say((catalogue(self._heard.language)(prompts.MUTED),))
        self._muted = not self._muted
        self.repeat()

    def close(self) -> None:
        """Be silent for good."""
        self._player.close()

    def _say(self, sentences: tuple[str, ...], *, wait: bool = False) -> None:
        if not self._muted:
            self._player.say(sentences if self._heard.language in SPOKEN else (), wait=wait)
