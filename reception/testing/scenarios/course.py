"""What a scenario is judged by, gathered from a terminal's snapshots; the runner and the recorder see alike."""

from collections import Counter
from typing import Protocol

from consent.eligibility import EligibilityError, VisitRecord
from reception.flow import State
from reception.terminal.snapshot import Snapshot
from reception.testing.scenarios.results import Result


class AsksServer(Protocol):
    """A client of the eligibility server, as far as it is needed here."""

    def visit(self, visit_id: str, /) -> VisitRecord | None: ...


class Course:
    """Follows the snapshots of one terminal and keeps a Result up to date; of several visits the last one counts."""

    def __init__(self, result: Result, began: float) -> None:
        self.result, self.began = result, began
        self.visit = ""
        self.times: Counter[State] = Counter()
        """How often each state has asked."""
        self._occasion = 0

    def note(self, seen: Snapshot, stamp: float) -> bool:
        """Take up a snapshot of the moment ``stamp``; return whether something is asked anew."""
        if seen.occasion == 0 and self.times:
            # A terminal that was started anew comes up.
            return False
        result, seconds = self.result, round(stamp - self.began, 4)
        anew, self._occasion = seen.occasion != self._occasion, seen.occasion
        if anew and not self.times:
            # How the terminal came up before is no part of the visit, and seen or not by chance.
            result.states.clear()
        if anew:
            self.times[seen.state] += 1
        if not result.states or result.states[-1][0] != seen.state:
            result.states.append((seen.state, seconds))
        # One that was started anew knows of no visit; the one that was broken off is still the last.
        if seen.visit and seen.visit != self.visit:
            self.visit = seen.visit
            result.asked, result.failure, result.identity, result.completed = [], "", "", False
        result.failure = seen.failure or result.failure
        if seen.completed:
            result.failure = ""
        result.identity = seen.identity or result.identity
        result.attributes = seen.attribute_outcome or result.attributes
        result.completed = result.completed or (seen.completed and seen.state == State.TAKE_CARD)
        if seen.question and anew:
            result.asked.append(seen.question)
        return anew

    def restarted(self) -> None:
        """The terminal was started anew: its occasions begin from the start."""
        self._occasion = 0

    def ask_server(self, client: AsksServer) -> None:
        """Take up what the server holds of the visit."""
        try:
            record = client.visit(self.visit) if self.visit else None
        except EligibilityError as error:
            self.result.why = f"the server could not be asked about the visit: {error}"
            return
        if record is not None and record.recorded_at is not None:
            self.result.sent = 1
            self.result.consents = {
                item.value: answer.value for item, answer in sorted(record.answers.items())
            }
            self.result.subsidies = [answer.value for answer in record.subsidies.values()]
