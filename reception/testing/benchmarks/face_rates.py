"""Error rates of a distance with a threshold: pure arithmetic on genuine and impostor distances.

A pair is accepted when its distance is at most the threshold. FAR: share of impostor pairs accepted. FRR: share of
genuine pairs refused. Pairs that could not be compared are no distances; whoever counts them does so beside these.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Distances = NDArray[np.float64]


@dataclass(frozen=True)
class EqualError:
    """Where FAR and FRR are as equal as these pairs allow; of two such places, the stricter one."""

    rate: float
    """Mean of both there, 0 to 1."""
    threshold: float
    """Middle of the distances over which it holds."""


@dataclass(frozen=True)
class Bound:
    """The loosest threshold that keeps FAR at a given rate."""

    threshold: float
    frr: float | None
    """None without genuine pairs."""
    resolved: bool
    """Whether there are enough impostor pairs for the rate to be seen at all: at least 1 / rate of them."""


def interval(rate: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % confidence interval of a share of ``count`` independent tries; (0, 1) for none.

    Pairs of few people are not independent: the true uncertainty is larger.
    """
    if not count:
        return 0.0, 1.0
    z = 1.96
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * float(np.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count)))
    return max(0.0, middle - half), min(1.0, middle + half)


def in_order(distances: ArrayLike) -> Distances:
    """Return distances as an ascending array; raises ValueError for one that is no finite number from 0 on."""
    ordered = np.sort(np.asarray(distances, np.float64).ravel())
    if ordered.size and not (np.isfinite(ordered).all() and ordered[0] >= 0):
        raise ValueError("a distance should be a finite number from 0 on")
    return ordered


def share_within(distances: Distances, threshold: float) -> float | None:
    """Return the share of ascending distances at or below the threshold; None when there are none."""
    if not distances.size:
        return None
    return float(np.searchsorted(distances, threshold, side="right")) / distances.size


def far(impostor: Distances, threshold: float) -> float | None:
    """Return the false accept rate, 0 to 1; None without impostor pairs."""
    return share_within(impostor, threshold)


def frr(genuine: Distances, threshold: float) -> float | None:
    """Return the false reject rate, 0 to 1; None without genuine pairs."""
    within = share_within(genuine, threshold)
    return None if within is None else 1 - within


def equal_error(genuine: Distances, impostor: Distances) -> EqualError | None:
    """Return the equal error rate; None when one kind of pair is missing."""
    if not genuine.size or not impostor.size:
        return None
    # Rates hold from one distance up to the next one.
    steps = np.unique(np.concatenate([[0.0], genuine, impostor]))
    accepted = np.searchsorted(impostor, steps, side="right") / impostor.size
    refused = 1 - np.searchsorted(genuine, steps, side="right") / genuine.size
    best = int(np.argmin(np.abs(accepted - refused)))
    until = steps[min(best + 1, steps.size - 1)]
    return EqualError(float(accepted[best] + refused[best]) / 2, float(steps[best] + until) / 2)


def threshold_at(genuine: Distances, impostor: Distances, rate: float) -> Bound | None:
    """Return the loosest threshold with FAR at most ``rate``; None without impostor pairs."""
    if not impostor.size:
        return None
    allowed = int(np.floor(rate * impostor.size + 1e-9))
    # The first distance that must not be accepted; the threshold lies just below, for one of 0 below 0.
    first = impostor[allowed] if allowed < impostor.size else np.nextafter(impostor[-1], np.inf)
    threshold = float(np.nextafter(first, -np.inf))
    return Bound(threshold, frr(genuine, threshold), impostor.size * rate >= 1 - 1e-9)


def det(genuine: Distances, impostor: Distances, points: int = 500) -> list[tuple[float, float, float]]:
    """Return the detection error trade-off: (threshold, FAR, FRR), thresholds ascending, at most ``points``.

    The points lie where either rate changes, denser where FAR is low. Empty when one kind of pair is missing.
    """
    if not genuine.size or not impostor.size:
        return []
    steps = np.unique(np.concatenate([genuine, impostor]))
    if steps.size > points:
        low = impostor[: max(1, impostor.size // 50)]
        dense, rest = (_spread(values, points // 2) for values in (np.unique(low), steps))
        steps = np.unique(np.concatenate([dense, rest]))
    return [(float(step), far(impostor, step) or 0.0, frr(genuine, step) or 0.0) for step in steps]


def _spread(values: Distances, count: int) -> Distances:
    places = np.unique(np.linspace(0, values.size - 1, min(count, values.size)).round().astype(np.intp))
    return np.take(values, places)


def at_thresholds(
    genuine: Distances, impostor: Distances, thresholds: Sequence[float]
) -> list[tuple[float, float | None, float | None]]:
    """Return (threshold, FAR, FRR) for each threshold."""
    return [(each, far(impostor, each), frr(genuine, each)) for each in thresholds]
