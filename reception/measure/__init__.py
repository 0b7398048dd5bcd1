"""Figures about speed and accuracy, each beside what it is compared with: a module for each part of ``./run bench``."""

import json
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from config import ConfigError

Say = Callable[[str], None]
Figures = list[dict[str, Any]]


def _visit(options: Namespace, say: Say) -> Figures:
    from reception.measure import visit

    return visit.visits(options.state, getattr(options, "rounds", 5), say)


def _face(options: Namespace, say: Say) -> Figures:
    if getattr(options, "pairs", None) is not None:
        from reception.measure.face_accuracy import accuracy

        return accuracy(
            options.pairs,
            options.out,
            say,
            conditions=options.conditions,
            frames=options.frames,
            gated=options.gate,
        )
    if any(getattr(options, name, None) for name in ("conditions", "gate", "out")):
        raise ConfigError("--conditions, --gate and --out go with --pairs")
    from reception.measure import face

    return face.speed(options.state, getattr(options, "rounds", 12), getattr(options, "visits", 0), say)


def _card(options: Namespace, say: Say) -> Figures:
    from reception.measure import card

    return card.pin_route(options.state, getattr(options, "rounds", 20), say)


def _server(options: Namespace, say: Say) -> Figures:
    from consent.server.certificates import Authority
    from reception.bench import everybody, insured
    from reception.measure import server

    for person in insured(everybody()):
        # A server takes up everybody, and would make their keys while it is measured.
        Authority(options.state).issue(person)
    return server.load(
        options.state,
        getattr(options, "terminals", 20),
        getattr(options, "seconds", 10.0),
        getattr(options, "database", None),
        say,
        getattr(options, "workers", 1),
    )


def _ui(options: Namespace, say: Say) -> Figures:
    from reception.screens.smoothness import smoothness

    return smoothness(options.state, getattr(options, "seconds", 10.0), say)


PARTS: dict[str, Callable[[Namespace, Say], Figures]] = {
    "visit": _visit,
    "card": _card,
    "face": _face,
    "server": _server,
    "ui": _ui,
}
"""By name on the command line. What is imported for one part costs the others nothing."""


def as_json(figures: dict[str, Figures]) -> str:
    """Return the figures of all parts that ran as JSON."""
    return json.dumps(figures, ensure_ascii=False, indent=1)
