"""The one way in which a bench, not the terminal on it, ends a run."""


class BenchTrouble(Exception):
    """A device or its operator failed, so that the run cannot go on; ``str()`` is the one line that is shown."""
