"""Several processes that serve one address: a process that only watches, and the workers, forked from it."""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from consent.server import EligibilityServer, ServerError

log = logging.getLogger("reception.server")

LOOK_S = 0.1
PAUSE_S = 1.0
"""Before a worker takes the place of one that died, so that one that dies at once does not keep us busy."""
END_S = 10.0


def serve_by_workers(server: EligibilityServer, count: int, started: Callable[[], None]) -> None:
    """Serve by ``count`` processes until Ctrl-C or SIGTERM; call it in the main thread of a process without others.

    ``started`` is called once all of them listen. A worker that dies is replaced. Faults are each process's own.
    Raises ServerError.
    """
    ended = False

    def end(_signal: int, _frame: FrameType | None) -> None:
        nonlocal ended
        ended = True

    server.share()
    before = [(number, signal.signal(number, end)) for number in (signal.SIGTERM, signal.SIGINT)]
    workers: set[int] = set()
    ready, tell = os.pipe()
    try:
        workers = {_forked(server, tell) for _ in range(count)}
        _wait_for(ready, tell, count)
        server.start_front()
        started()
        while not ended:
            time.sleep(LOOK_S)
            for worker in _dead(workers):
                log.warning("a worker of the eligibility server died and is replaced")
                time.sleep(PAUSE_S)
                workers.remove(worker)
                if not ended:
                    workers.add(_forked(server, None))
    finally:
        _end(workers)
        for number, handler in before:
            signal.signal(number, handler)
        server.close()


def _forked(server: EligibilityServer, tell: int | None) -> int:
    watcher = os.getpid()
    worker = os.fork()
    if worker:
        return worker
    status = 1
    try:
        # Ctrl-C goes to the whole group of processes; the watcher's word is enough.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def listens() -> None:
            if tell is not None:
                os.write(tell, b".")
                os.close(tell)

        server.serve_forever(listens, lambda: os.getppid() != watcher)
        status = 0
    except BaseException as error:
        log.error("a worker of the eligibility server ended: %s", type(error).__name__)
    finally:
        os._exit(status)


def _wait_for(ready: int, tell: int, count: int) -> None:
    """Wait until all workers listen; the pipe ends early when one of them died."""
    os.close(tell)
    told = b""
    while len(told) < count and (more := os.read(ready, count)):
        told += more
    os.close(ready)
    if len(told) < count:
        raise ServerError("a worker of the eligibility server could not start")


def _dead(workers: set[int]) -> list[int]:
    return [worker for worker in workers if os.waitpid(worker, os.WNOHANG)[0]]


def _end(workers: set[int]) -> None:
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGTERM)
    limit = time.monotonic() + END_S
    for worker in workers:
        with suppress(ChildProcessError):
            while not os.waitpid(worker, os.WNOHANG)[0]:
                if time.monotonic() > limit:
                    os.kill(worker, signal.SIGKILL)
                time.sleep(0.02)
