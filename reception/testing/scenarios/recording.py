"""One recording session: a terminal for somebody to make a visit at, and the scenario that comes of it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

import config
from config import ConfigError
from config.person import Person, everybody
from consent.eligibility import EligibilityClient
from consent.server.certificates import Authority
from consent.wire import japan_now
from hardware.face.engine import FaceEngine
from reception.terminal.back_office import BackOffice
from reception.terminal.conductor import Terminal
from reception.terminal.equipment import real_terminal
from reception.testing.scenarios.frames import KeptFrames
from reception.testing.scenarios.recorded_bench import RecordedBench
from reception.testing.scenarios.recorder import Frame, NothingRecorded, Recorder, as_toml
from reception.testing.scenarios.scenario import load
from reception.testing.testbench import Bench


class Session:
    """From the refusal of a file that is there already to the scenario that was loaded once, to be sure of it.

    ``settings_file``: of a terminal with real devices; without it, the bench is simulated and its day is ``today``.
    Raises ConfigError.
    """

    def __init__(self, out: Path, person: Person, settings_file: Path | None, today: date | None) -> None:
        if out.exists():
            raise ConfigError(f"{out}: is there already; a recording overwrites nothing")
        if not out.parent.is_dir():
            raise ConfigError(f"{out.parent}: there is no such folder")
        self.settings = config.load(settings_file)
        self._out, self._person, self._today = out, person, today
        self._real = settings_file is not None
        self._recorder = Recorder(person, real=self._real)
        self._frames: KeptFrames | None = None
        self._bench: Bench | None = None
        self._client: EligibilityClient | None = None
        self._state = Path()

    @contextmanager
    def running(
        self, state: Path, *, frames: bool = False
    ) -> Iterator[tuple[Terminal, BackOffice, RecordedBench | None]]:
        """Run the terminal and record; what is yielded is for the windows. ``write`` before the end of it."""
        self._state = state
        with ExitStack() as ends:
            bench: RecordedBench | None = None
            if self._real:
                engine = ends.enter_context(FaceEngine(network=self.settings.face.model))
                terminal, office = ends.enter_context(real_terminal(self.settings, state, engine))
                identity = Authority(state).enrol_terminal(self.settings.site.terminal_id)
                settings = self.settings
                self._client = EligibilityClient(
                    settings.server, identity, settings.profile, settings.consents, settings.site
                )
                ends.callback(self._client.close)
            else:
                self._bench = ends.enter_context(
                    Bench(self.settings, state, person=self._person, today=self._today)
                )
                terminal, office = self._bench.terminal, self._bench.office
                self._client = self._bench.client
                bench = RecordedBench(self._bench, self._recorder)
            ends.callback(terminal.subscribe_events(self._recorder.happened))
            ends.callback(terminal.subscribe(self._recorder.see))
            if frames:
                self._frames = KeptFrames()
                ends.callback(terminal.subscribe_frames(self._frames.take))
            yield terminal, office, bench

    def write(self, title: str = "") -> list[str]:
        """Write the scenario and say what was written; raises ConfigError, OSError when there is nothing to write."""
        assert self._client
        tries = None
        if self._bench:
            self._bench.server.start()
            tries = self._bench.pin_tries_left()
        try:
            recording = self._recorder.finish(self._client, tries)
        except NothingRecorded as nothing:
            raise ConfigError(f"{self._out}: {nothing}; nothing was written") from None
        if recording.result.why:
            raise ConfigError(f"{self._out}: {recording.result.why}; nothing was written")
        said = []
        clip = self._out.with_suffix(".frames")
        count = self._frames.write(clip, f"hil-record for {self._out.name}") if self._frames else 0
        if count:
            said.append(f"{clip}: {count} frames")
        text = as_toml(
            recording,
            Frame(
                title,
                self._today or japan_now().date(),
                self.settings,
                config.load(),
                clip.name if count else "",
                frozenset(one.card.pin for one in (self._person, *everybody())),
            ),
        )
        self._out.write_text(text, encoding="utf-8")
        # What cannot be loaded must not look like a scenario.
        load(self._out, self._state)
        if recording.left_out:
            said.append("the visit that was still on is left out")
        return [*said, f"{self._out}: {len(recording.rules)} actions; play it: ./run hil {self._out}"]
