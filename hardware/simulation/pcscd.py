"""A pcscd of our own with vpcd's virtual readers, for tests and the ``pcsc`` bench: Linux, as root.

vpcd listens on every network interface, and anybody who reaches its port can put a card into the reader. So both
live in a network namespace of their own; programs still reach pcscd, whose socket is a path. That path is compiled
into pcscd, so it also gets a mount namespace, where a folder of this process stands in its place: every process may
have a pcscd, beside the one of the system. A thread of this process enters both and opens the sockets of the cards in
there; the cards themselves stay in this process.
"""

import atexit
import ctypes
import fcntl
import logging
import os
import queue
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from hardware.card import CardError, ReaderError
from hardware.simulation.virtual_card import CardSlot, Quirk, QuirkyCard, SmartCard, VpcdSlot

T = TypeVar("T")

_PCSCD = "pcscd"
_DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_COMPILED_IN = Path("/run/pcscd")
"""Where pcscd puts its socket, come what may."""
_PORT = 0x8C7B
READER, SECOND_READER = "Virtual PCD 00 00", "Virtual PCD 00 01"
"""PC/SC names of the two slots."""
_ALL, _POWER_UPS, _EXCHANGES, _AFTER, _EXECUTED = range(5)
"""Where in the driver's bytes each fault stands; see reader_faults.c."""

_START_LIMIT_S = 10.0
_STOP_LIMIT_S = 5.0
_TAKEN_LIMIT_S = 10.0
"""How long another program waits for a card."""
_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1

_log = logging.getLogger("reception.pcscd")


@cache
def service_folder() -> Path:
    """Return the folder of this process's pcscd socket; what the process starts from now on finds it there too.

    libpcsclite looks for its socket's name once per process, so that this must come before any use of PC/SC.
    """
    folder = Path(tempfile.mkdtemp(prefix="pcscd-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PCSCLITE_CSOCK_NAME"] = str(folder / "pcscd.comm")
    return folder


class BenchError(ReaderError):
    """The bench cannot be set up here; ``str()`` says what to do."""


class PcscdBench:
    """Runs pcscd and vpcd between ``with`` and its end, whatever happens in between.

    ``port``: also let cards in at this port of 127.0.0.1, for ``./run card --vpcd`` in another program; 0 picks a
    free one (see ``vpcd_port``). ``faults``: make unplug() and fault() possible, which needs a C compiler.
    """

    def __init__(self, port: int | None = None, *, faults: bool = False) -> None:
        service_folder()
        self.vpcd_port = port
        self._with_faults = faults
        self._fault_switch: int | None = None
        self._door: _Door | None = None
        self._space: _Space | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._slots = [
            VpcdSlot(lambda: self._connect(0), dress=self._dressed),
            VpcdSlot(lambda: self._connect(1), dress=self._dressed),
        ]
        self._quirk: Quirk = ""
        self._models: list[str] = []
        """What the readers have called themselves since they were renamed, before index and slot."""

    def __enter__(self) -> Self:
        """Start everything. Raises BenchError, with nothing left behind."""
        _check_possible()
        try:
            if self._with_faults:
                self._fault_switch = os.memfd_create("reader fault")
                os.write(self._fault_switch, bytes(5))
            self._space = _Space()
            self.start_service()
            if self.vpcd_port is not None:
                self._door = _Door(self.vpcd_port, lambda: self._connect(0))
                self.vpcd_port = self._door.port
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def slot(self) -> CardSlot:
        """Return the card slot of the reader named READER."""
        return self._slots[0]

    @property
    def second_slot(self) -> CardSlot:
        """Return the card slot of the reader named SECOND_READER, for a phone."""
        return self._slots[1]

    @property
    def pid(self) -> int | None:
        """Return pcscd's process id while it runs."""
        return self._process.pid if self._process else None

    def start_service(self) -> None:
        """Start pcscd, and wait until it serves; nothing happens when it runs."""
        if self._process is None:
            assert self._space
            switch = self._fault_switch
            self._process = self._space.run(lambda: _start_pcscd(switch, *self._models[-1:]))

    def stop_service(self, *, kill: bool = False) -> None:
        """Stop pcscd, by SIGKILL if ``kill``; cards stay in their slots and are there at the next start."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # A killed pcscd leaves these, and they are ours: nobody else's can have started meanwhile.
        for name in ("pcscd.comm", "pcscd.pid"):
            (service_folder() / name).unlink(missing_ok=True)

    def unplug(self) -> None:
        """Let both readers fail at every use; pcscd tells this of a reader that was taken away, too."""
        self._set_fault(_ALL, 1)

    def fault(self) -> None:
        """Let both readers fail at every use."""
        self._set_fault(_ALL, 1)

    def plug(self) -> None:
        """Let the readers work again."""
        self._set_fault(_ALL, 0)

    def fail_power_ups(self, count: int) -> None:
        """Let so many power-ups fail, from the next one on."""
        self._set_fault(_POWER_UPS, count)

    def lose_exchanges(self, count: int, after: int = 0, *, executed: bool = False) -> None:
        """Lose so many exchanges once ``after`` more have passed; ``executed``: on the way back only."""
        self._set_fault(_EXCHANGES, 0)
        self._set_fault(_AFTER, after)
        self._set_fault(_EXECUTED, int(executed))
        self._set_fault(_EXCHANGES, count)

    def hold(self, seconds: float) -> None:
        """Let another program take the card that is in, or comes next, and keep it for so long."""
        threading.Thread(target=self._hold, args=(seconds,), name="other program", daemon=True).start()

    def _hold(self, seconds: float) -> None:
        from hardware.card.pcsc import PcscReader

        reader = PcscReader("* 00 00")
        deadline = time.monotonic() + _TAKEN_LIMIT_S
        while time.monotonic() < deadline:
            try:
                channel = reader.connect()
            except (CardError, ReaderError):
                # Whoever comes first has it; a service that is waited for tells later than one that is asked.
                time.sleep(0.002)
                continue
            time.sleep(seconds)
            channel.close()
            return

    def reset_card(self, *, power: bool = False) -> None:
        """Not possible: the terminal has the card for itself, so nobody else can reset it."""
        raise BenchError("a card behind pcscd cannot be reset by somebody else while a terminal has it")

    def rename(self) -> None:
        """Have the readers come back in other letters and with a serial number, as with a new version of a driver."""
        self.stop_service()
        self._models.append(f"VIRTUAL pcd ({len(self._models)})")
        self.start_service()

    def take_on(self, quirk: Quirk) -> None:
        """Give reader and cards a quirk, from the next card on."""
        self._quirk = quirk

    def _dressed(self, card: SmartCard) -> SmartCard:
        return QuirkyCard(card, self._quirk) if self._quirk else card

    def _set_fault(self, which: int, value: int) -> None:
        if self._fault_switch is None:
            raise BenchError("this bench was started without reader faults")
        os.pwrite(self._fault_switch, bytes([value]), which)

    def close(self) -> None:
        """Stop everything that was started; may be called twice."""
        if self._door:
            self._door.close()
        for slot in self._slots:
            slot.remove()
        self.stop_service()
        if self._space:
            self._space.close()
        if self._fault_switch is not None:
            os.close(self._fault_switch)
        self._door = self._space = self._fault_switch = None

    def _connect(self, number: int) -> socket.socket:
        if self._space is None:
            raise OSError("the bench is closed")
        return self._space.run(lambda: socket.create_connection(("127.0.0.1", _PORT + number), timeout=1.0))


def _check_possible() -> None:
    if sys.platform != "linux":
        raise BenchError("the pcsc bench needs Linux")
    if shutil.which(_PCSCD, path=_search_path()) is None or not _DRIVER.exists():
        raise BenchError("pcscd is not installed: apt install pcscd vsmartcard-vpcd")
    if os.geteuid() != 0:
        raise BenchError("the pcsc bench starts a pcscd of its own, which needs root")
    if (service_folder() / "pcscd.comm").exists():
        raise BenchError("this process runs a pcscd already")


def _search_path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


def _start_pcscd(fault_switch: int | None, model: str = "Virtual PCD") -> "subprocess.Popen[bytes]":
    """Start pcscd in the calling thread's space, and wait until it and vpcd listen.

    ``fault_switch``: file descriptor whose bytes make the readers fail, or None for vpcd's own driver. ``model``: what
    the readers call themselves.
    """
    program = shutil.which(_PCSCD, path=_search_path())
    assert program
    with tempfile.TemporaryDirectory(prefix="pcscd-") as folder, tempfile.TemporaryFile() as output:
        driver = _DRIVER if fault_switch is None else _driver_with_faults(Path(folder))
        Path(folder, "conf").mkdir()
        Path(folder, "conf", "vpcd").write_text(
            f'FRIENDLYNAME "{model}"\nDEVICENAME /dev/null:0x{_PORT:X}\n'
            f"LIBPATH {driver}\nCHANNELID 0x{_PORT:X}\n",
            encoding="ascii",
        )
        # It must not outlive this process, even if that is killed. Never with debug flags: they log PINs.
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", program, "--foreground", "--config", f"{folder}/conf"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=() if fault_switch is None else (fault_switch,),
            env=os.environ | {"READER_FAULT_FD": str(fault_switch)},
        )
        try:
            _wait_until_serving(process)
        except BaseException:
            process.kill()
            process.wait()
            output.seek(0)
            for line in output.read(4096).decode(errors="replace").splitlines():
                _log.debug("pcscd: %s", line)
            raise
    _log.debug("pcscd runs as process %d", process.pid)
    return process


def _driver_with_faults(folder: Path) -> Path:
    """Compile the driver that stands between pcscd and vpcd's."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise BenchError("no C compiler is installed: apt install gcc")
    library = folder / "reader_faults.so"
    source = Path(__file__).with_name("reader_faults.c")
    command = [
        compiler,
        "-shared",
        "-fPIC",
        "-O1",
        f'-DDRIVER="{_DRIVER}"',
        "-o",
        str(library),
        str(source),
        "-ldl",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{source.name} cannot be compiled: {done.stderr.strip().splitlines()[-1]}")
    return library


def _wait_until_serving(process: "subprocess.Popen[bytes]") -> None:
    """Look every 10 ms; pcscd tells nobody when it is ready."""
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"pcscd ended at once with status {process.returncode}")
        with socket.socket(socket.AF_UNIX) as service, suppress(OSError):
            service.connect(str(service_folder() / "pcscd.comm"))
            if _listens(_PORT) and _listens(_PORT + 1):
                return
        time.sleep(0.01)
    raise BenchError(f"pcscd did not start within {_START_LIMIT_S:g} s")


def _listens(port: int) -> bool:
    """Read it from the kernel: a trial connection would be a card inserted."""
    table = Path("/proc/thread-self/net/tcp").read_text(encoding="ascii")
    return f":{port:04X} 00000000:0000 0A" in table


class _Space:
    """A thread in network and mount namespaces of its own, with a loopback interface; runs what is handed to it."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        # The namespaces live as long as this thread and what it started; so does pcscd, see pdeathsig.
        self._thread = threading.Thread(target=self._work, name="pcscd space", daemon=True)
        self._thread.start()
        self.run(_enter_new_space)

    def run(self, job: Callable[[], T]) -> T:
        """Run a job in the namespace and return its result, or raise its exception."""
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future.result()

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while item := self._jobs.get():
            job, future = item
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)


def _enter_new_space() -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def call(what: str, *arguments: Any) -> None:
        if getattr(libc, what)(*arguments) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise BenchError(f"no namespaces can be made here ({what}: {reason}); the pcsc bench needs them")

    call("unshare", _CLONE_NEWNET | _CLONE_NEWNS)
    _COMPILED_IN.mkdir(exist_ok=True)
    call("mount", b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)
    call("mount", bytes(service_folder()), bytes(_COMPILED_IN), None, ctypes.c_ulong(_MS_BIND), None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


class _Door:
    """Lets one program at a time on this machine reach vpcd inside the namespace, by a loopback port."""

    def __init__(self, port: int, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise BenchError(f"port {port} of 127.0.0.1 cannot be used: {error.strerror}") from None
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._accept, name="vpcd door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        for connection in (self._listener, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                outside, _ = self._listener.accept()
            except OSError:
                return
            with outside:
                try:
                    inside = self._connect()
                except OSError as error:
                    _log.debug("vpcd: %s", error)
                    continue
                with inside:
                    self._open = {outside, inside}
                    if not self._closed:
                        _join(outside, inside)
                    self._open = set()


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""
    one.settimeout(None)
    other.settimeout(None)
    back = threading.Thread(target=_carry, args=(other, one), name="vpcd door, back", daemon=True)
    back.start()
    _carry(one, other)
    back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            # vpcd writes header and body apart; see virtual_card.vpcd.
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = source.recv(4096)
            if not data:
                break
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
