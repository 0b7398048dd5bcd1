"""Where sounds go: the machine's own player behind a small port, a recorder for tests, or nowhere."""

import logging
import shutil
import subprocess
import threading
from typing import Protocol

from reception.speech.sounds import RATE, joined

log = logging.getLogger(__name__)

PLAYERS: dict[str, tuple[str, ...]] = {
    "aplay": ("-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(RATE)),
    "paplay": ("--raw", "--format=s16le", "--channels=1", f"--rate={RATE}"),
}
"""Programs that play raw samples from their standard input, in order of preference (Debian: alsa-utils, or
pulseaudio-utils)."""


class Player(Protocol):
    """Says sentences one after the other, at once."""

    @property
    def state(self) -> str:
        """Return "ok"; "down": nobody hears anything though they should; "none": there is to be no sound."""

    def say(self, sentences: tuple[str, ...], *, wait: bool = False, share: float = 1.0) -> None:
        """Say these and drop what is being said; ``wait``: after that, in place of whatever waits already.

        Returns at once. No sentences: be silent. ``share`` of the volume that is set, 0 to 1.
        """

    def close(self) -> None:
        """Be silent for good."""


class Silent:
    """For a terminal whose sound is switched off."""

    state = "none"

    def say(self, sentences: tuple[str, ...], *, wait: bool = False, share: float = 1.0) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class WithoutPlayer(Silent):
    """For a machine that lacks a program that plays sound."""

    state = "down"


class Recorder(Silent):
    """Keeps what would have been said, for tests."""

    state = "ok"

    def __init__(self) -> None:
        self.said: list[tuple[str, ...]] = []
        self.share = 1.0

    def say(self, sentences: tuple[str, ...], *, wait: bool = False, share: float = 1.0) -> None:
        """Keep it."""
        self.share = share
        self.said.append(sentences)


class CommandPlayer:
    """Hands the samples to a player program; each prompt is one process, ended by its own id when the next comes."""

    def __init__(self, command: tuple[str, ...], volume: float) -> None:
        self._command, self._volume = command, volume
        self._share = 1.0
        self._news = threading.Condition()
        self._next: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = self._complained = self._dropped = self._unheard = False
        self._thread = threading.Thread(target=self._play_all, name="speech", daemon=True)
        self._thread.start()

    @property
    def state(self) -> str:
        return "down" if self._unheard else "ok"

    def say(self, sentences: tuple[str, ...], *, wait: bool = False, share: float = 1.0) -> None:
        with self._news:
            if self._closed:
                return
            self._next, self._share = sentences, share
            if not wait:
                self._dropped = True
                self._end()
            self._news.notify()

    def close(self) -> None:
        with self._news:
            self._closed = True
            self._end()
            self._news.notify()
        self._thread.join(2)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _play_all(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._next or self._closed)
                sentences, self._next, self._dropped = self._next, (), False
                volume = self._volume * self._share
                if self._closed:
                    return
            try:
                self._play(joined(sentences, volume))
            except (OSError, subprocess.TimeoutExpired) as error:
                self._complain(str(error))

    def _play(self, samples: bytes) -> None:
        with self._news:
            if self._closed or self._dropped:
                return
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            process = self._process
        try:
            _, errors = process.communicate(samples, timeout=len(samples) / 2 / RATE + 5)
        finally:
            process.kill()
            process.wait()
            with self._news:
                self._process = None
        if process.returncode > 0:
            self._complain(reason_of(errors))
        elif process.returncode == 0:
            self._unheard = False

    def _complain(self, why: str) -> None:
        """Say once why there is no sound; the visit goes on without it."""
        self._unheard = True
        if not self._complained:
            self._complained = True
            log.warning("no sound: %s: %s", self._command[0], why)


def find_command() -> tuple[str, ...] | None:
    """Return the program of this machine that plays raw samples from its standard input, with its options."""
    for name, options in PLAYERS.items():
        path = shutil.which(name)
        if path:
            return (path, *options)
    return None


def reason_of(errors: bytes) -> str:
    """Return the line in which a player says what is wrong: the last one."""
    return errors.decode(errors="replace").strip().rpartition("\n")[2] or "no reason given"


def find_player(*, on: bool, volume: int) -> Player:
    """Return the player of this machine; ``volume`` in percent. Without one, say so once and be silent."""
    if not on or volume == 0:
        return Silent()
    command = find_command()
    if command is None:
        log.warning("no sound: none of %s is installed (apt: alsa-utils)", ", ".join(PLAYERS))
        return WithoutPlayer()
    return CommandPlayer(command, volume / 100)
