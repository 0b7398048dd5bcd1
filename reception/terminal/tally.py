"""A day's visits as counts that can be added up over terminals; out of the journal alone, nothing personal."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from reception.flow import State
from reception.terminal.journal import COMPLETED, Entry

Steps = Sequence[tuple[datetime, str]]
"""When a visit came to which state, in order."""

_PERSON = frozenset(
    (
        State.METHOD_CHOICE,
        State.PIN_ENTRY,
        State.PHONE_TAP,
        State.VISUAL_CHECK,
        State.CARD_USE_OFFER,
        State.CONSENT,
        State.LIMIT_CONSENT,
    )
)
"""Where the terminal waits for a person."""
_MACHINE = frozenset((State.READING, State.FACE_MATCH, State.CHECKING, State.SENDING))
"""Where the patient waits for the terminal; of a face match, holding still is a part of it."""


@dataclass(frozen=True)
class Tally:
    """Counts of one day's visits."""

    day: str = ""
    """ISO date; empty without a visit."""
    visits: int = 0
    completed: int = 0
    hours: tuple[tuple[int, int, int], ...] = ()
    """Hour of the day, completed visits, others that have ended; in order, only hours that had one."""
    person_s: tuple[float, ...] = ()
    """Of each completed visit, all waits for a person together."""
    machine_s: tuple[float, ...] = ()
    """Of each completed visit, all waits for the terminal together."""
    identities: tuple[tuple[str, int], ...] = ()
    """How identity was verified in completed visits, most frequent first."""
    failures: tuple[tuple[str, int], ...] = ()
    """What the visits ended with that were not completed, most frequent first."""


def tally(entries: Iterable[Entry], steps: Mapping[str, Steps]) -> Tally:
    """Count the visits; one that still runs counts as a visit and nowhere else."""
    entries = list(entries)
    done = [entry for entry in entries if entry.outcome == COMPLETED]
    failed = [entry for entry in entries if entry.outcome not in ("", COMPLETED)]
    times = [_times(steps.get(entry.visit, ())) for entry in done]
    return Tally(
        day=max((entry.begun_at.date().isoformat() for entry in entries), default=""),
        visits=len(entries),
        completed=len(done),
        hours=_hours(done, failed),
        person_s=tuple(round(person, 1) for person, _ in times),
        machine_s=tuple(round(machine, 1) for _, machine in times),
        identities=tuple(Counter(entry.identity for entry in done).most_common()),
        failures=tuple(Counter(entry.outcome for entry in failed).most_common()),
    )


def together(tallies: Iterable[Tally]) -> Tally:
    """Add up the tallies of the newest day among them."""
    all_of_them = list(tallies)
    day = max((each.day for each in all_of_them), default="")
    same = [each for each in all_of_them if each.day == day]
    hours: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    identities, failures = Counter[str](), Counter[str]()
    for each in same:
        identities.update(dict(each.identities))
        failures.update(dict(each.failures))
        for hour, done, others in each.hours:
            hours[hour][0] += done
            hours[hour][1] += others
    return Tally(
        day=day,
        visits=sum(each.visits for each in same),
        completed=sum(each.completed for each in same),
        hours=tuple((hour, done, others) for hour, (done, others) in sorted(hours.items())),
        person_s=tuple(second for each in same for second in each.person_s),
        machine_s=tuple(second for each in same for second in each.machine_s),
        identities=tuple(identities.most_common()),
        failures=tuple(failures.most_common()),
    )


def _hours(done: Sequence[Entry], failed: Sequence[Entry]) -> tuple[tuple[int, int, int], ...]:
    counts: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for at, entries in enumerate((done, failed)):
        for entry in entries:
            counts[entry.begun_at.hour][at] += 1
    return tuple((hour, done, others) for hour, (done, others) in sorted(counts.items()))


def _times(steps: Steps) -> tuple[float, float]:
    """Return the seconds in which the terminal waited for a person, and a person for the terminal."""
    person = machine = 0.0
    for (began, state), (ended, _) in pairwise(steps):
        # A clock that was set back must not make a visit shorter than nothing.
        seconds = max(0.0, (ended - began).total_seconds())
        if state in _PERSON:
            person += seconds
        elif state in _MACHINE:
            machine += seconds
    return person, machine
