from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
import pytest

from consent.eligibility import Refused
from reception import flow
from reception.fleet.audit import Audit
from reception.fleet.messages import (
    PERSONAL,
    Answer,
    Command,
    Kind,
    MessageError,
    News,
    Verb,
    Verdict,
    command_bytes,
    read_command,
    read_news,
    read_snapshot,
)
from reception.fleet.port import TAKES, About, Port, Watch
from reception.flow import State
from reception.terminal.snapshot import CounterView, VisualView
from reception.testing.fleet.actors import breaks, is_mended
from tests.support.counter import PERSON, Terminal, soon

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
NUMBERS = count()


class Desk(Terminal):
    """A terminal whose port has a clock of the test's."""

    def __init__(self) -> None:
        super().__init__()
        self.port.close()
        self.now, self.at = NOW, 0.0
        self.port = Port(
            self.actor,
            self.office,
            About("terminal-1", "1"),
            self.audit,
            keep_s=100,
            now=lambda: self.at,
            clock=lambda: self.now,
        )
        self.heard: list[News] = []
        self.port.listen(self.heard.append)

    def newest(self, kind: Kind) -> Any:
        return [news.content for news in self.heard if news.kind is kind][-1]

    def ask(
        self,
        verb: str,
        *,
        id: str = "",  # noqa: A002 the field's name
        expires: datetime | None = None,
        **arguments: str,
    ) -> Answer:
        answers: list[Answer] = []
        command = Command(
            id or f"command-{next(NUMBERS)}",
            verb,
            "desk-1",
            expires or self.now + timedelta(seconds=10),
            arguments,
        )
        self.port.act(command, answers.append)
        soon(lambda: bool(answers), "no answer")
        return answers[0]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def test_who_listens_is_told_the_present_state_of_everything(desk: Desk) -> None:
    late: list[News] = []
    desk.port.listen(late.append)
    assert {news.kind for news in late} == set(Kind)


def test_a_command_is_done_once(desk: Desk) -> None:
    visit = desk.comes()
    assert desk.ask("show-text", id="one", visit=visit, text="coming").verdict is Verdict.DONE
    assert desk.ask("show-text", id="one", visit=visit, text="").verdict is Verdict.REPLAYED
    assert desk.actor.snapshot.staff_message == "coming"
    # When its id is forgotten, the command has expired.
    desk.now += timedelta(seconds=11)
    again = desk.ask("show-text", id="one", visit=visit, text="", expires=desk.now - timedelta(seconds=1))
    assert again.verdict is Verdict.EXPIRED


@pytest.mark.parametrize("seconds", [-1, -3600, 121, 86_400])
def test_a_command_outside_its_time_is_refused(desk: Desk, seconds: int) -> None:
    assert desk.ask("close-desk", expires=NOW + timedelta(seconds=seconds)).verdict is Verdict.EXPIRED
    assert desk.actor.snapshot.desk_open
    assert desk.audit.newest()[0].verdict == "expired"


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("shutdown", {}),
        ("__init__", {}),
        ("close-desk", {"visit": "x"}),
        ("cancel", {}),
        ("show-text", {"visit": "", "text": "a text of somebody else"}),
        ("match-code", {"code": "12345678901234a"}),
    ],
)
def test_an_unknown_command_changes_nothing_and_is_in_the_audit(
    desk: Desk, verb: str, arguments: dict[str, str]
) -> None:
    before = desk.actor.snapshot
    assert desk.ask(verb, **dict[str, Any](arguments)).verdict is Verdict.UNKNOWN
    assert desk.actor.snapshot is before
    assert (desk.audit.newest()[0].act, desk.audit.newest()[0].verdict) == (verb, "unknown")


def test_every_command_has_its_arguments() -> None:
    assert set(TAKES) == set(Verb)


@pytest.mark.parametrize("verb", ["cancel", "more-time", "start-visual", "refuse-visual"])
def test_a_command_for_a_visit_that_is_over_does_not_touch_the_next_one(desk: Desk, verb: str) -> None:
    old = desk.comes()
    desk.actor.submit(flow.CardRemoved())
    desk.comes()
    assert desk.ask(verb, visit=old).verdict is Verdict.LATE
    assert desk.state is State.METHOD_CHOICE


def test_people_are_remembered_for_a_while_and_no_longer(desk: Desk) -> None:
    visit = desk.comes()
    desk.is_identified()
    assert [person["visit"] for person in desk.newest(Kind.PEOPLE)] == [visit]
    desk.at += 101
    desk.actor.submit(flow.MoreTime())
    desk.actor.is_well(camera="down")
    assert desk.newest(Kind.PEOPLE) == []


def test_a_chart_number_stays_when_the_visit_tells_more_of_its_person(desk: Desk) -> None:
    visit = desk.comes()
    desk.is_identified()
    assert desk.ask("register-chart", visit=visit, number="A-1").verdict is Verdict.DONE
    desk.answers()
    (person,) = desk.newest(Kind.PEOPLE)
    assert person["reference_number"] == "A-1"
    assert person["answers"]


def test_a_chart_number_that_the_server_refuses_is_not_remembered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(view: CounterView, number: str) -> None:
        raise Refused("AMBIGUOUS")

    monkeypatch.setattr(desk.office, "register_reference", refuse)
    visit = desk.comes()
    desk.is_identified()
    assert desk.ask("register-chart", visit=visit, number="A-1").verdict is Verdict.REFUSED
    assert desk.ask("register-chart", visit="nobody", number="A-1").verdict is Verdict.LATE
    (person,) = desk.newest(Kind.PEOPLE)
    assert person["reference_number"] == ""


def test_a_patients_call_stays_until_it_is_taken_and_a_broken_readers_goes_with_its_cause(desk: Desk) -> None:
    desk.comes()
    desk.calls()
    desk.actor.submit(flow.CardRemoved())
    call = desk.newest(Kind.CALLS)[0]
    breaks(desk.actor)
    assert len(desk.newest(Kind.CALLS)) == 2
    is_mended(desk.actor)
    assert [each["id"] for each in desk.newest(Kind.CALLS)] == [call["id"]]
    assert desk.ask("take-call", call=call["id"]).verdict is Verdict.DONE
    assert desk.newest(Kind.CALLS) == []
    assert desk.ask("take-call", call=call["id"]).verdict is Verdict.LATE


def test_who_cancels_by_themselves_calls_nobody(desk: Desk) -> None:
    visit = desk.comes()
    assert desk.ask("cancel", visit=visit).verdict is Verdict.DONE
    assert desk.newest(Kind.CALLS) == []


def test_the_photo_is_told_and_taken_away(desk: Desk) -> None:
    visit = desk.comes()
    desk.actor._visuals.tell(VisualView(visit, np.full((4, 3), 7, np.uint8)))
    photo = desk.newest(Kind.PHOTO)
    assert isinstance(photo, dict)
    assert (photo["width"], photo["height"], photo["grey"]) == (3, 4, "BwcHBwcHBwcHBwcH")
    desk.actor._visuals.tell(None)
    assert desk.newest(Kind.PHOTO) is None


def test_a_closed_port_has_forgotten_everybody(desk: Desk) -> None:
    desk.comes()
    desk.is_identified()
    desk.port.close()
    assert desk.newest(Kind.PEOPLE) == []


def test_today_is_told_without_names(desk: Desk) -> None:
    desk.comes()
    desk.is_identified()
    answer = desk.ask("today")
    assert answer.verdict is Verdict.DONE
    assert [entry["visit"] for entry in answer.content] == ["terminal-1-visit-1"]
    assert PERSON.name not in str(answer.content)


def test_personal_news_are_for_who_watches() -> None:
    at = [0.0]
    watch = Watch(lambda: at[0])
    assert [kind for kind in Kind if not watch.lets(kind)] == [kind for kind in Kind if kind in PERSONAL]
    assert watch.ask("1000000")
    assert all(watch.lets(kind) for kind in Kind)
    at[0] = 61
    assert not watch.is_on
    assert not watch.ask("soon")
    watch.ask("nan")
    assert not watch.is_on


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"[" * 100_000,
        b'{"id": 1, "verb": "x", "operator": "x", "expires": "x", "arguments": {}}',
        b'{"id": "1", "verb": "x", "operator": "x", "expires": "2026-04-01T09:00:00", "arguments": {}}',
        b'{"id": "1", "verb": "x", "operator": "x", "expires": "2026-04-01T09:00:00Z", "arguments": []}',
        b'{"id": "1", "verb": "x", "operator": "x", "expires": "2026-04-01T09:00:00Z", "arguments": {"a": 1}}',
        b'{"id": "'
        + b"x" * 201
        + b'", "verb": "", "operator": "", "expires": "2026-04-01T09:00:00Z", "arguments": {}}',
    ],
)
def test_what_is_no_command_is_refused(content: bytes) -> None:
    with pytest.raises(MessageError):
        read_command(content)
    with pytest.raises(MessageError):
        read_news(content)


def test_a_command_comes_out_as_it_went_in() -> None:
    command = Command("1", "cancel", "desk-1", NOW, {"visit": "v"})
    assert read_command(command_bytes(command)) == command


@pytest.mark.parametrize("content", [None, [], {"methods": ["telepathy"]}, {"health": 3}, {"methods": 3}])
def test_what_is_no_snapshot_is_refused(content: object) -> None:
    with pytest.raises(MessageError):
        read_snapshot(content)


def test_a_snapshot_of_a_newer_release_is_read(desk: Desk) -> None:
    desk.comes()
    content = {**desk.newest(Kind.SNAPSHOT), "invented_later": 1}
    assert read_snapshot(content).state == State.METHOD_CHOICE


def test_acts_stay_and_what_a_stranger_sent_is_kept_short_and_printable() -> None:
    audit = Audit(None, lambda: NOW)
    audit.note("x" * 500, "a\nb\x1b[31m", "terminal-1", "unknown")
    (act,) = audit.newest()
    assert len(act.operator) == 80
    assert act.act == "a?b?[31m"
