"""The scenarios of this folder, all played on one bench when its first test asks for them."""

from collections.abc import Sequence
from pathlib import Path

from reception.testing import scenarios
from reception.testing.scenarios import Result
from reception.testing.testbench import BenchKind
from tests.conftest import LogWatch
from tests.support import SCENARIO_FOLDER
from tests.support.pcscd import running_pcscd

FOLDER = SCENARIO_FOLDER
SCENARIOS = sorted(path.stem for path in FOLDER.glob("*.toml"))


class Playing:
    """The scenarios on one bench."""

    def __init__(self, state: Path, kind: BenchKind, names: Sequence[str] = SCENARIOS) -> None:
        self._state, self._kind, self._names = state, kind, names
        self._results: dict[str, Result] | None = None

    def result(self, name: str, log_watch: LogWatch) -> Result:
        """Return what came of a scenario; skips where there can be no such bench."""
        if self._results is None:
            if self._kind == "pcsc":
                with running_pcscd():
                    pass
            # Should playing break off, the other tests fail at once and do not play again.
            self._results = {}
            if "face_engine_killed" in self._names:  # all are played for the first test
                log_watch.expect("face engine died")
            plays = [scenarios.load(FOLDER / f"{each}.toml", self._state) for each in self._names]
            self._results = {
                Path(one.file).stem: one for one in scenarios.play_all(plays, self._state, self._kind)
            }
        return self._results[name]
