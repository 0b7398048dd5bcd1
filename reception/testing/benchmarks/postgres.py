"""A PostgreSQL of our own, for benches and tests: from Debian's package, in a new folder, on no network."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

START_S = 30.0


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3])
    return found[-1].parent if found else None


class OwnPostgres:
    """One PostgreSQL, reached by a socket in its own folder; a context manager, and startable again after stop().

    ``durable=False``: a commit does not wait for the disk, for tests only. Raises RuntimeError when it does not start.
    """

    def __init__(self, *, durable: bool = True) -> None:
        found = programs()
        if found is None:
            raise RuntimeError("PostgreSQL is not installed; the Debian package is postgresql")
        self._programs = found
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="reception-postgres-"))

    def url(self, database: str = "postgres") -> str:
        """Return what ``--database`` takes."""
        return f"postgresql+psycopg://postgres@/{database}?host={quote(str(self._folder), safe='')}"

    def __enter__(self) -> Self:
        try:
            if os.geteuid() == 0:
                owner = pwd.getpwnam(self._user())
                os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start and return once it answers."""
        settings = [f"unix_socket_directories={self._folder}", "listen_addresses=", "max_connections=200"]
        settings += [] if self._durable else ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        command = [str(self._programs / "postgres"), "-D", str(self._data)]
        for setting in settings:
            command += ["-c", setting]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._as_owner(command), stdout=log, stderr=log, cwd=self._folder
            )
        end = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL does not start: {self._last_line()}")
            self._wait(0.05)

    def stop(self, *, at_once: bool = True) -> None:
        """Stop; ``at_once`` breaks running transactions off (fast shutdown), otherwise as after a crash."""
        process, self._process = self._process, None
        if process:
            process.send_signal(signal.SIGINT if at_once else signal.SIGQUIT)
            process.wait(START_S)

    def create(self, database: str) -> str:
        """Create an empty database and return its URL."""
        self._run("createdb", "-h", str(self._folder), "-U", "postgres", database)
        return self.url(database)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, such as pg_dump, on this one."""
        self._run(program, "-h", str(self._folder), "-U", "postgres", *arguments)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-h", str(self._folder)]
        return subprocess.run(command, check=False).returncode == 0

    def _wait(self, seconds: float) -> None:
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def _run(self, program: str, *arguments: str) -> None:
        command = self._as_owner([str(self._programs / program), *arguments])
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._folder)
        if done.returncode:
            raise RuntimeError(f"{program}: {(done.stderr or done.stdout).strip()[-500:]}")

    def _as_owner(self, command: list[str]) -> list[str]:
        """PostgreSQL refuses to run as root."""
        if os.geteuid():
            return command
        group = str(pwd.getpwnam(self._user()).pw_gid)
        return ["setpriv", f"--reuid={self._user()}", f"--regid={group}", "--clear-groups", *command]

    @staticmethod
    def _user() -> str:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "nobody"
        return "postgres"

    def _last_line(self) -> str:
        lines = (self._folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"
