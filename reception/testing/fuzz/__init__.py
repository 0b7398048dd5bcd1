"""Long fuzzing of one parser or of the server, for ``./run fuzz``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FuzzReport:
    """What a run did; ``failure`` is empty when every input came out as it must."""

    inputs: int
    seed: int
    failure: str = ""
