"""Figures for the hospital's monitoring (Prometheus): terminals, parts, calls, visits; nothing personal."""

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from reception.counter.hub import Hub
from reception.counter.sessions import Sessions

PARTS = ("reader", "phone_reader", "camera", "engine", "server", "journal")


class _Terminals(Collector):
    """Reads the hub whenever it is asked."""

    def __init__(self, hub: Hub, sessions: Sessions, broker_silent: Callable[[], datetime | None]) -> None:
        self._hub, self._sessions, self._broker_silent = hub, sessions, broker_silent

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge, of = GaugeMetricFamily, ["terminal"]
        heard = gauge("reception_terminal_heard", "1: the terminal is heard", labels=of)
        serving = gauge("reception_terminal_in_service", "1: it takes patients", labels=of)
        calls = gauge("reception_terminal_calls", "Calls for staff that nobody has seen to", labels=of)
        visits = gauge("reception_terminal_visits_today", "Visits of its newest day", labels=of)
        completed = gauge("reception_terminal_completed_today", "Completed visits of that day", labels=of)
        parts = gauge(
            "reception_terminal_part_down", "1: the part cannot be used", labels=["terminal", "part"]
        )
        clock = gauge("reception_terminal_clock_ahead_seconds", "Its clock against the board's", labels=of)
        with self._hub.lock:
            for terminal in self._hub.terminals():
                desk = self._hub.desk(terminal)
                if desk is None:
                    continue
                heard.add_metric([terminal], desk.is_heard)
                serving.add_metric([terminal], desk.is_heard and desk.snapshot.state != "OUT_OF_SERVICE")
                calls.add_metric([terminal], len(desk.calls))
                visits.add_metric([terminal], desk.tally.visits)
                completed.add_metric([terminal], desk.tally.completed)
                clock.add_metric([terminal], desk.link.clock_offset_s(terminal))
                for part in PARTS:
                    parts.add_metric([terminal, part], getattr(desk.snapshot.health, part) == "down")
        yield from (heard, serving, calls, visits, completed, clock, parts)
        yield gauge("reception_board_sessions", "Logins that hold", value=self._sessions.count())
        yield gauge("reception_board_broker_heard", "1: the broker answers", value=not self._broker_silent())


def text(hub: Hub, sessions: Sessions, broker_silent: Callable[[], datetime | None]) -> bytes:
    """Return all figures in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Terminals(hub, sessions, broker_silent))
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return generate_latest(registry)
