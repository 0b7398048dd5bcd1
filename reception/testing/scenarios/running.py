"""Playing scenarios on a bench, state by state."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from config import Camera, Config, ConfigError
from config.person import Person, load_person
from config.toml_file import TomlFile
from consent.choices import ConsentAnswer
from hardware.face.engine import FaceEngine
from reception import flow
from reception.flow import State
from reception.terminal.snapshot import Snapshot
from reception.testing.scenarios.course import Course
from reception.testing.scenarios.receipt_computer import ask
from reception.testing.scenarios.results import Fault, Result, plain
from reception.testing.scenarios.scenario import Play, clip_folder
from reception.testing.scenarios.trace import Trace
from reception.testing.testbench import Bench, BenchKind, BenchTrouble, RealBench, whatever_comes
from reception.testing.verbs import Rule, Verb
from reception.testing.visit_driver import VisitDriver

_SETTLE_S = 5.0
"""How long is waited for what the last rule may bring, when it was done in a state of rest."""

_ENGINE_S = 30.0

_REST = (State.WAITING, State.OUT_OF_SERVICE)


def play_all(
    plays: Sequence[Play],
    state: Path,
    kind: BenchKind | RealBench = "simulated",
    tell: Callable[[Result], None] = lambda result: None,
    watch: Callable[[Snapshot], None] = lambda snapshot: None,
    *,
    camera: Camera | None = None,
    traced: bool = False,
    engine: FaceEngine | None = None,
) -> list[Result]:
    """Play scenarios one after the other with one face engine; without one that runs, a new one.

    ``tell`` hears of each as it ends, ``watch`` sees every snapshot. ``camera``: a real one. ``traced``:
    keep what happened, for a report. On a RealBench the first failure of a device ends the run, and is the reason why
    later scenarios were not played.
    """
    results: list[Result] = []
    with ExitStack() as ends:
        used = engine or ends.enter_context(FaceEngine())

        def on_new_bench(play: Play, result: Result) -> None:
            play_on_new_bench(play, result, state, kind, used, camera=camera, watch=watch)

        play_one: PlayOne = on_new_bench
        if isinstance(kind, RealBench):
            play_one = _with_first_trouble(plays, kind, on_new_bench)
        for play in plays:
            result = blank(play, traced=traced)
            play_one(play, result)
            results.append(result)
            tell(result)
    return results


def play_on(bench: Bench, play: Play, state: Path) -> Result:
    """Play one scenario on a simulated bench that is running, and that has the play's people and settings."""
    result = blank(play)
    run = _Run(play, bench, state, result)
    run.play()
    run.judge()
    return result


PlayOne = Callable[[Play, Result], None]


def _with_first_trouble(plays: Sequence[Play], real: RealBench, play_one: PlayOne) -> PlayOne:
    """Ask for the real card's secrets once; return what plays a scenario, unless there has been a trouble before."""
    since = ""

    def guarded(play: Play, result: Result) -> None:
        nonlocal since
        if real.trouble:
            before = f", since {since!r} ended the run" if since else ""
            result.why = f"not played{before}: {real.trouble}"
            return
        try:
            real.restore()
            play_one(play, result)
            real.restore()
        except BenchTrouble as trouble:
            since = play.scenario.title
            result.passed, result.why = False, str(trouble)
            result.faults = []

    verbs = {rule.do for play in plays for rule in play.scenario.on}
    pin, face = "type_pin" in verbs, "choose_face" in verbs
    if pin or face:
        with suppress(BenchTrouble):
            real.prepare(pin=pin, face=face)
    return guarded


def blank(play: Play, *, traced: bool = False) -> Result:
    """Return the result of a scenario before it is played; ``traced``: it will keep what happened."""
    return Result(play.scenario.title, str(play.path), trace=Trace() if traced else None)


def play_on_new_bench(
    play: Play,
    result: Result,
    state: Path,
    kind: BenchKind | RealBench,
    engine: FaceEngine,
    *,
    camera: Camera | None = None,
    watch: Callable[[Snapshot], None] = lambda snapshot: None,
) -> None:
    """Play one scenario, on a bench that is made for it and ends with it, into its blank result."""
    if any(rule.do == "choose_face" for rule in play.scenario.on):
        # That the first scenario finds the models still loading would be no property of the terminal.
        engine.ready.wait(_ENGINE_S)
    real = isinstance(kind, RealBench)
    person = kind.plan.holder_of(play.person) if isinstance(kind, RealBench) else play.person
    with ExitStack() as ends:
        settings, journal = _on_disk(play, ends)
        bench = ends.enter_context(
            Bench(
                settings,
                state,
                kind,
                people=[person, *([] if real else _others(play))],
                person=person,
                clip=play.clip,
                today=play.today,
                engine=engine,
                journal=journal,
                camera=camera,
            )
        )
        bench.terminal.subscribe(watch)
        if not real:
            # The first card of a process takes long to make: keys are checked, its photo is encoded.
            whatever_comes(person, bench.authority)
        run = _Run(play, bench, state, result)
        run.play()
    # A real card can be asked for its tries once the terminal has let go of it.
    run.judge(ask_tries=not real or _touches_pin(play))


def _on_disk(play: Play, ends: ExitStack) -> tuple[Config, Path | None]:
    """Return the settings and where the journal is: what a scenario fills, or starts anew, must be on a disk."""
    verbs, settings = {rule.do for rule in play.scenario.on}, play.settings
    offers = settings.attributes.offer
    if not (offers or verbs & {"fill_folder", "kill_terminal", "ask_receipt"}):
        return settings, None
    folder = Path(ends.enter_context(TemporaryDirectory(prefix="hil-")))
    if offers or (verbs & {"fill_folder", "ask_receipt"} and not settings.receipt.folder):
        for name in ("face", "req", "res"):
            (folder / "receipt" / name).mkdir(parents=True)
        settings = replace(settings, receipt=replace(settings.receipt, folder=str(folder / "receipt")))
    return settings, folder / "journal.sqlite"


def _touches_pin(play: Play) -> bool:
    asked = play.scenario.expect.pin_tries_left is not None
    return asked or any(rule.do == "type_pin" for rule in play.scenario.on)


def _others(play: Play) -> list[Person]:
    names = {rule.person for rule in play.scenario.on if rule.person}
    return [load_person(name, play.path.parent) for name in sorted(names)]


class _Run:
    """One scenario on one bench."""

    def __init__(self, play: Play, bench: Bench, state: Path, result: Result) -> None:
        self._play, self._bench, self._state = play, bench, state
        self._result = result
        self._pending = list(play.scenario.on)
        self._answer_all: dict[State, ConsentAnswer] = {}
        self._rested = False
        self._course = Course(result, time.monotonic())
        self._driver = VisitDriver(bench)
        self._seen = 0
        """How many snapshots of the driver's were looked at."""

    def play(self) -> None:
        """Play it to its rest or its time limit; the time that hands take at real devices is not counted."""
        trace = self._result.trace
        if trace:
            trace.began = self._course.began
        with trace.listening() if trace else nullcontext():
            rested = self._follow(trace)
        self._bench.check()
        self._rested = rested
        self._bench.server.start()
        self._course.ask_server(self._bench.client)
        if self._bench.outside.service is not None:
            self._result.worklist = len(self._bench.outside.worklist.cases())

    def _follow(self, trace: Trace | None) -> bool:
        """Act on snapshots until there is nothing left to do; return whether it came to rest."""
        began = self._course.began
        within_s = self._play.scenario.expect.within_s or 60.0
        if not any(rule.state is State.WAITING for rule in self._pending):
            begin: Verb = "choose_phone" if self._play.person.card.is_phone else "insert_card"
            self._pending.insert(0, Rule(state=State.WAITING, do=begin))
        acted = False
        rested = self._rested
        try:
            while not rested:
                self._bench.check()
                left = began + within_s + self._bench.waited_s - time.monotonic()
                news = self._driver.after(self._seen, max(0.0, min(left, _SETTLE_S) if acted else left))
                if news is None:
                    # What was done last, in a state of rest, led nowhere: that is rest too.
                    rested = acted and left > 0
                    break
                self._seen += 1
                stamp, snapshot = news
                if trace:
                    trace.snapshots.append((round(stamp - began, 4), snapshot))
                if self._course.note(snapshot, stamp):
                    acted = self._act(snapshot) and snapshot.state in _REST and not self._pending
                at_rest = snapshot.state in _REST and not self._pending
                rested = at_rest and not acted and self._course.times.total() > 1
        finally:
            self._driver.close()
            self._result.seconds = round(time.monotonic() - began, 3)
        return rested

    def judge(self, *, ask_tries: bool = True) -> None:
        """Ask the card for its tries and compare everything with what was expected."""
        if ask_tries:
            self._result.pin_tries_left = self._bench.pin_tries_left()
        self._result.faults = self._mismatches(self._rested)
        self._result.why = "; ".join(fault.why for fault in self._result.faults)
        self._result.passed = not self._result.why

    def _act(self, seen: Snapshot) -> bool:
        """Run the rules of this occasion; True when there were any."""
        state = seen.state
        due = [rule for rule in self._pending if rule.state is state and self._applies(rule, seen)]
        self._pending = [rule for rule in self._pending if rule not in due]
        for rule in due:
            self._do(rule, seen)
        if seen.screen == "SUMMARY" and not due:
            # No rule says otherwise, so what was answered is what is to be sent.
            self._bench.terminal.submit(flow.ConfirmAnswers())
            return True
        sticky = self._answer_all.get(state)
        if sticky and not any(rule.do in ("answer", "answer_all") for rule in due):
            self._bench.terminal.submit(flow.Answer(sticky))
        return bool(due)

    def _applies(self, rule: Rule, seen: Snapshot) -> bool:
        if rule.do == "answer" and rule.item is not None:
            return rule.item.value == seen.question
        if rule.do == "choose_prescription":
            return seen.screen == "PRESCRIPTION"
        return rule.visit == self._course.times[rule.state]

    def _do(self, rule: Rule, seen: Snapshot) -> None:
        match rule.do:
            case "show":
                self._bench.show_clip(clip_folder(rule.clip, self._play.path.parent, self._state))
            case "ask_receipt":
                self._ask_receipt(rule.value)
            case "restart_terminal":
                self._course.restarted()
                # What the old one still showed is of no interest.
                self._seen = self._driver.restart()
            case "choose_phone" if seen.state == State.WAITING and self._chooses_kind_later():
                self._driver.choose_phone("later", seen)
            case _:
                if rule.do == "answer_all":
                    self._answer_all[rule.state] = ConsentAnswer(rule.value)
                self._driver.do(rule, seen)

    def _ask_receipt(self, kind: str) -> None:
        """Ask as the receipt computer does, and keep the code of the answer."""
        answers, settings = self._result.receipt_answers, self._bench.settings
        folder, code = Path(settings.receipt.folder), settings.site.institution_code
        answers.append(ask(folder, kind, self._bench.person, code, len(answers) + 1))

    def _chooses_kind_later(self) -> bool:
        return any(rule.do == "choose_phone" and rule.state is State.METHOD_CHOICE for rule in self._pending)

    def _mismatches(self, rested: bool) -> list[Fault]:
        expect, result = self._play.scenario.expect, self._result
        wrong = [Fault(result.why)] if result.why else []
        seen = {
            "end": result.states[-1][0] if result.states else "",
            "completed": result.completed,
            "failure": result.failure,
            "identity": result.identity,
            "asked": tuple(result.asked),
            "consents": result.consents,
            "subsidies": tuple(result.subsidies),
            "sent": result.sent,
            "pin_tries_left": result.pin_tries_left,
            "attributes": result.attributes,
            "worklist": result.worklist,
            "receipt_answers": tuple(result.receipt_answers),
        }
        for key, value in seen.items():
            wanted = getattr(expect, key)
            if wanted is not None and wanted != value:
                wrong.append(
                    self._fault(f"{key}: expected {plain(wanted)}, was {plain(value)}", "expect", key)
                )
        visited = iter(name for name, _ in result.states)
        if expect.states and not all(state in visited for state in expect.states):
            what = f"states: {' '.join(expect.states)} is not part of what was seen"
            wrong.append(self._fault(what, "expect", "states"))
        if not rested:
            wrong += self._unfinished()
        return wrong

    def _unfinished(self) -> list[Fault]:
        """Say what of the scenario was never played, or that it did not end in time."""
        within_s = self._play.scenario.expect.within_s
        if self._pending:
            left = ", ".join(f"{rule.do} in {rule.state} (time {rule.visit})" for rule in self._pending)
            rules = self._play.scenario.on
            at = rules.index(self._pending[0]) if self._pending[0] in rules else None
            return [self._fault(f"never came to: {left}", *(() if at is None else ("on", at)))]
        if within_s:
            return [self._fault(f"did not come to rest within {within_s:g} s", "expect", "within_s")]
        return []

    def _fault(self, why: str, *key: str | int) -> Fault:
        """Return a fault with its line; a play that was made in memory has none."""
        try:
            return Fault(why, TomlFile.read(self._play.path).line_of(key) if key else None)
        except ConfigError:
            return Fault(why)
