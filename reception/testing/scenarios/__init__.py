"""Scenarios: what people and devices do, state by state, and what must come of it."""

from reception.testing.scenarios.parallel import play_parallel
from reception.testing.scenarios.results import Result, as_json, as_junit
from reception.testing.scenarios.running import play_all, play_on
from reception.testing.scenarios.scenario import TODAY, Expect, Play, Scenario, load
from reception.testing.verbs import Rule, Verb

__all__ = [
    "TODAY",
    "Expect",
    "Play",
    "Result",
    "Rule",
    "Scenario",
    "Verb",
    "as_json",
    "as_junit",
    "load",
    "play_all",
    "play_on",
    "play_parallel",
]
