"""Several processes that serve one address, begun, watched and ended by uvicorn's own supervisor."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from consent.server import EligibilityServer, ServerError

if TYPE_CHECKING:
    from consent.server.faults import Asgi

START_S = 30.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class _Application:
    """Makes the application once more in each process, of what can be handed to one."""

    make: Callable[[], EligibilityServer]
    supervisor: int
    """Its process id: it may have been killed before this process was ready to hear of that."""

    def __call__(self) -> "Asgi":
        # A supervisor that is killed takes its processes along (Linux; elsewhere they stay).
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != self.supervisor:
                sys.exit(0)
        # Ctrl-C goes to the whole group of processes; the supervisor's word is enough.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return self.make().application()
        except ServerError as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(STARTUP_FAILURE)


class _Workers(Multiprocess):
    """Tells when all its processes listen."""

    def __init__(
        self, config: uvicorn.Config, server: EligibilityServer, started: Callable[[EligibilityServer], None]
    ) -> None:
        super().__init__(config, [server.share()])
        self._server, self._started = server, started

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(START_S, self.should_exit) for process in self.processes):
            self._server.start_front()
            self._started(self._server)
        elif not self.signal_queue:
            self.terminate_all()
            self.join_all()
            raise ServerError("a worker of the eligibility server could not start")


def serve_by_workers(
    make: Callable[[], EligibilityServer], count: int, started: Callable[[EligibilityServer], None]
) -> None:
    """Serve by ``count`` processes until Ctrl-C or SIGTERM; call it in the main thread.

    ``make`` is called once more in each process, so it must be one that pickle can hand over. ``started`` is called
    once all listen. A worker that dies or hangs is replaced. Faults are each process's own. Raises ServerError.
    """
    server = make()
    try:
        config = uvicorn.Config(
            _Application(make, os.getpid()), factory=True, workers=count, **server.settings_of_uvicorn
        )
        _Workers(config, server, started).run()
    finally:
        server.close()
