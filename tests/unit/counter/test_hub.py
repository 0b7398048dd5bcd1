"""What the counter's hub does between its terminals."""

import threading

from reception.counter.hub import Hub
from reception.fleet.messages import Command
from tests.support.counter import DirectLink, Terminal


class Asked(DirectLink):
    """A link that notes, whenever a terminal is asked, whether another thread could use the hub meanwhile."""

    hub: Hub

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal.port)
        self.was_free: list[bool] = []

    def send(self, terminal: str, command: Command) -> bool:
        def use() -> None:
            self.was_free.append(self.hub.lock.acquire(timeout=2))
            if self.was_free[-1]:
                self.hub.lock.release()

        other = threading.Thread(target=use)
        other.start()
        other.join()
        return super().send(terminal, command)


def test_a_terminal_that_is_asked_holds_up_nobody_else() -> None:
    terminal = Terminal()
    link = Asked(terminal)
    link.hub = hub = Hub([link], keep_s=60)
    hub.start()
    try:
        stop = hub.watch("terminal-1")
        looked = len(link.was_free)
        terminal.comes()
        moved = len(link.was_free)
        link.cut()
        link.is_cut = False
        terminal.is_identified()
        stop()
        # It is asked when somebody looks, when its state moves, when it comes back, and when nobody looks any more.
        assert 0 < looked < moved < len(link.was_free)
        assert all(link.was_free)
    finally:
        hub.close()
        terminal.close()
