"""Bring a checkout to what the pinned files ask for: system packages (Debian family, as root), and `.venv`.

Only the standard library is used here, and the syntax is kept old enough that an outdated Python reads the whole file
and can say what it needs.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import launch
from launch import LEVELS, OLDEST_PYTHON, PINNED, SetupError, say

ROOT = Path(launch.ROOT)
VENV = Path(launch.VENV)
VENV_PYTHON = Path(launch.VENV_PYTHON)
STAMP = Path(launch.STAMP)
LOCK = ROOT / ".venv.lock"
PINS = {"site": "site.txt", "bench": "bench.txt", "dev": "constraints.txt"}
SIZES = {"site": "about 190 MB", "bench": "about 210 MB", "dev": "about 300 MB"}
"""To download, the first time (measured)."""
OWN_PACKAGES = ("config", "hardware", "consent", "reception", "packaging")

LEFT_OUT = (
    # Qt's other language, and its tools.
    "PySide6/Qt/qml",
    "PySide6/Qt/translations",
    "PySide6/Qt/metatypes",
    "PySide6/Qt/libexec",
    "PySide6/Qt/lib/libQt6Qml*",
    "PySide6/Qt/lib/libQt6Quick*",
    "PySide6/Qt/lib/libQt6Labs*",
    "PySide6/Qt/lib/libQt6Designer*",
    "PySide6/Qt/plugins/designer",
    "PySide6/Qt/plugins/qml*",
    "PySide6/Qt/plugins/sqldrivers",
    "PySide6/QtOpenGL.*",
    "PySide6/qml*",
    *("PySide6/" + tool for tool in ("assistant", "designer", "linguist", "lrelease", "lupdate", "svgtoqml")),
    *("PySide6/" + source for source in ("doc", "glue", "include", "scripts", "typesystems", "*.pyi")),
    # What face_recognition itself would load.
    "face_recognition_models/models/shape_predictor_68_face_landmarks.dat",
    "face_recognition_models/models/mmod_human_face_detector.dat",
    "numpy/tests",
    "numpy/*/tests",
)
"""What nothing opens but the commands for developers, in site-packages: 270 MB."""
ONLY_TO_SET_UP = ("uv", "setuptools")
"""Packages that nothing imports afterwards."""
WHOLE_FOR_DEVELOPERS = ("pyside6-essentials", "numpy", "face-recognition-models")
"""Where something was left out, and has to come back when developers' commands are started."""

AS_IS = "RECEPTION_SYSTEM_AS_IS"  # set by an administrator who looks after the system packages


class Need(NamedTuple):
    """One Debian package and the proof that what we want from it is there.

    The proof is a file, a program or a library, not the package's name: names differ between releases, and the same
    proof holds on a system without apt.
    """

    package: str
    kind: str  # "file" (glob patterns), "program", "library" or "module"
    proof: str
    vital: bool = True  # without it nothing starts; the others only switch features off


PYTHON = "python%d.%d" % sys.version_info[:2]

# Needed only while .venv is made: pyscard has no Linux wheel and is compiled.
BUILD_NEEDS = (
    Need(PYTHON + "-venv", "module", "ensurepip"),
    Need("gcc", "program", "gcc"),
    Need("libc6-dev", "file", "/usr/include/stdio.h"),
    Need(PYTHON + "-dev", "file", sysconfig.get_paths()["include"] + "/Python.h"),
    Need("libpcsclite-dev", "file", "/usr/include/PCSC/winscard.h"),
)

# Needed by every command. Qt asks for the first six even without a display.
START_NEEDS = (
    Need("libegl1", "library", "libEGL.so.1"),
    Need("libgl1", "library", "libGL.so.1"),
    Need("libxkbcommon0", "library", "libxkbcommon.so.0"),
    Need("libdbus-1-3", "library", "libdbus-1.so.3"),
    Need("libfontconfig1", "library", "libfontconfig.so.1"),
    Need("libglib2.0-0", "library", "libglib-2.0.so.0"),
    Need("libxcb-cursor0", "library", "libxcb-cursor.so.0", vital=False),
    Need("libxkbcommon-x11-0", "library", "libxkbcommon-x11.so.0", vital=False),
    Need("libxcb-icccm4", "library", "libxcb-icccm.so.4", vital=False),
    Need("libxcb-keysyms1", "library", "libxcb-keysyms.so.1", vital=False),
    Need("libxcb-shape0", "library", "libxcb-shape.so.0", vital=False),
    # One family with Japanese, Korean, Chinese and Vietnamese in regular and true bold.
    Need(
        "fonts-noto-cjk",
        "file",
        "/usr/share/fonts/*/NotoSansCJK* /usr/share/fonts/*/*/NotoSansCJK*",
        vital=False,
    ),
    Need("libpcsclite1", "library", "libpcsclite.so.1", vital=False),
    Need("pcscd", "program", "pcscd", vital=False),
    Need("vsmartcard-vpcd", "file", "/usr/lib*/pcsc/drivers/serial/libifdvpcd.so", vital=False),
    # The virtual reader listens on every address; unshare and ip give it a network of its own.
    Need("util-linux", "program", "unshare", vital=False),
    Need("iproute2", "program", "ip", vital=False),
)

# What `./run bench` measures beside.
BENCH_NEEDS = (
    Need("opensc", "program", "pkcs15-tool", vital=False),
    Need("postgresql", "file", "/usr/lib/postgresql/*/bin/initdb", vital=False),
    Need("xvfb", "program", "Xvfb", vital=False),
)

TEST_NEEDS = (
    *BENCH_NEEDS,
    Need("openssl", "program", "openssl", vital=False),
    # TLS in front of the mock server.
    Need("nginx-light", "program", "nginx", vital=False),
    # The counter's page is tested in a real browser, and the fleet with a real broker.
    Need("chromium", "program", "chromium", vital=False),
    Need("chromium-driver", "program", "chromedriver", vital=False),
    Need("mosquitto", "program", "mosquitto", vital=False),
    Need("xauth", "program", "xauth", vital=False),
    Need("xdotool", "program", "xdotool", vital=False),
    # What a screen reader uses: the tests press and read by it.
    Need("dbus", "program", "dbus-daemon", vital=False),
    Need("at-spi2-core", "file", "/usr/libexec/at-spi-bus-launcher", vital=False),
    Need("python3-gi", "file", "/usr/lib/python3/dist-packages/gi/__init__.py", vital=False),
    Need("gir1.2-atspi-2.0", "file", "/usr/lib/*/girepository-1.0/Atspi-2.0.typelib", vital=False),
)


@contextlib.contextmanager
def phase(title: str) -> Iterator[None]:
    """Show one line for one step of the set-up, with the seconds it took."""
    print(f"  {title} ...", end="", file=sys.stderr, flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        say(" stopped")
        raise
    say(f" {time.monotonic() - start:.1f} s")


def quietly(command: list[str], remedy: str, env: dict[str, str] | None = None) -> None:
    """Run a command without its noise; when it fails, show its last lines and what to do."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env=env,
        text=True,
        errors="replace",
    )
    try:
        output, _ = child.communicate()
    except KeyboardInterrupt:
        # Let it end by itself: a killed dpkg leaves half-installed packages behind.
        child.terminate()
        child.wait()
        raise
    if child.returncode:
        last_lines = "\n".join("    " + line for line in output.strip().splitlines()[-12:])
        raise SetupError(f"{Path(command[0]).name} failed:\n{last_lines}\n{remedy}")


def check_python() -> None:
    """Go on with a Python that is new enough, looking for a newer one beside an old one."""
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return
    for minor in (13, 12, 11):
        newer = shutil.which(f"python3.{minor}")
        # A version switcher may offer a name that it then refuses to run.
        if newer and subprocess.run([newer, "-c", ""], capture_output=True, check=False).returncode == 0:
            os.execv(newer, [newer, str(ROOT / "run"), *sys.argv[1:]])
    raise SetupError(
        f"Python 3.11 or newer is needed; this is {platform.python_version()}. Install it and start again."
    )


def known_libraries() -> str:
    """The loader's own list of libraries; empty where there is no ldconfig."""
    ldconfig = shutil.which("ldconfig", path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")
    if ldconfig is None:
        return ""
    return subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout


def is_there(need: Need, libraries: str) -> bool:
    """Look for a need's proof."""
    if need.kind == "file":
        return any(glob.glob(pattern) for pattern in need.proof.split())
    if need.kind == "program":
        return (
            shutil.which(need.proof, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")
            is not None
        )
    if need.kind == "library":
        return need.proof + " " in libraries
    return importlib.util.find_spec(need.proof) is not None


def missing(needs: tuple[Need, ...]) -> list[Need]:
    """The needs whose proof was not found."""
    libraries = known_libraries()
    return [need for need in needs if not is_there(need, libraries)]


def provide(needs: tuple[Need, ...]) -> bool:
    """Make sure that the system packages are there, installing them when that is allowed; return whether all are."""
    lacking = missing(needs) if sys.platform == "linux" else []
    if not lacking:
        return True
    names = " ".join(need.package for need in lacking)
    if os.environ.get(AS_IS):
        say(f"Going on without: {names}")
    elif shutil.which("apt-get") is None:
        say(f"This system has no apt. What these Debian packages contain was not found: {names}")
    elif os.geteuid() != 0:
        raise SetupError(
            "System packages are missing. Run this once as root, then start again:\n"
            f"  apt-get update && apt-get install --no-install-recommends -y {names}\n"
            f"Or set {AS_IS}=1 to go on with what is there."
        )
    else:
        say(f"System packages: {names}")
        apt_install(lacking)
        lacking = missing(needs)
    vital = " ".join(need.package for need in lacking if need.vital)
    if vital:
        raise SetupError(f"Cannot start without: {vital}. Install them and start again.")
    return not lacking


def apt_install(lacking: list[Need]) -> None:
    """Install packages; when the set as a whole cannot be had, do without those that are not vital."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    install = [*apt, "install", "--no-install-recommends", "-y"]
    remedy = "Check the network and the apt sources, then start again."
    vital = [need.package for need in lacking if need.vital]
    try:
        with phase("reading the package lists"):
            # An earlier start may have been stopped in the middle of dpkg.
            quietly(["dpkg", "--configure", "-a"], remedy, env)
            quietly([*apt, "update"], remedy, env)
        with phase("installing system packages"):
            quietly([*install, *(need.package for need in lacking)], remedy, env)
    except SetupError as error:
        if len(vital) == len(lacking):
            raise
        say(f"{error}\nGoing on without: {' '.join(need.package for need in lacking if not need.vital)}")
        if vital:
            with phase("installing the vital ones"):
                quietly([*install, *vital], remedy, env)


def wanted_stamp(level: str) -> str:
    """What `.venv` must have been made from: the pinned files, this folder, and the Python that it really runs.

    And how, to be raised when build_venv() makes it differently; the level stands before it.
    """
    digest = hashlib.sha256()
    for name in PINNED:
        digest.update((ROOT / name).read_bytes())
    # The real file tells when a system upgrade put another Python behind the same link.
    for part in (str(ROOT), platform.machine(), os.path.realpath(VENV_PYTHON), "left out"):
        digest.update(part.encode() + b"\0")
    return f"{level} {digest.hexdigest()}"


def is_ready(level: str) -> bool:
    """Whether `.venv` was finished from exactly these pinned files, for this level or a larger one."""
    try:
        enough = LEVELS[LEVELS.index(level) :]
        return VENV_PYTHON.exists() and STAMP.read_text() in [wanted_stamp(each) for each in enough]
    except FileNotFoundError:
        return False


def level_held() -> str:
    """Return the level that `.venv` was finished for, by whatever version of the pinned files; empty: none."""
    try:
        held = STAMP.read_text().split()[0]
    except (FileNotFoundError, IndexError):
        return ""
    return held if held in LEVELS else ""


def level_to_build(level: str) -> str:
    """Return the wanted level, or the larger one that an older `.venv` holds: nobody's tools are taken away."""
    return max(level, level_held() or level, key=LEVELS.index)


@contextlib.contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Hold off a second start while the first one works on `.venv`."""
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start is setting up; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def has_working_pip() -> bool:
    """A `.venv` that can run its own pip can be completed; any other is made anew."""
    if not VENV_PYTHON.exists():
        return False
    command = [str(VENV_PYTHON), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def trusting_as_the_system() -> dict[str, str]:
    """An environment in which the installer trusts whom the system trusts, as pip does by itself.

    Behind a company's proxy that is an authority of its own, which the installer's built-in list lacks.
    """
    import ssl  # 20 ms that only the set-up pays

    places = ssl.get_default_verify_paths()
    known = places.cafile or (places.capath and os.listdir(places.capath))
    return {"UV_SYSTEM_CERTS": "1", **os.environ} if known else dict(os.environ)


def build_venv(level: str, before: str) -> None:
    """Make or complete `.venv` from the pinned files, leaving the stamp as the very last thing.

    ``before``: what it held; empty when nobody knows.
    """
    started = time.monotonic()
    remedy = "Check the network and pip's settings, then start again; finished steps are not repeated."
    python = str(VENV_PYTHON)
    STAMP.unlink(missing_ok=True)
    if not has_working_pip():
        with phase("making .venv"):
            shutil.rmtree(VENV, ignore_errors=True)
            # Not sys.executable: that could be the Python of the very .venv that was just removed.
            interpreter = getattr(sys, "_base_executable", sys.executable)
            quietly([interpreter, "-m", "venv", str(VENV)], f"Is {PYTHON}-venv installed?")
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    with phase("fetching the installer"):
        tools = ["install", "--no-deps", "--require-hashes", "-r", "requirements/tools-constraints.txt"]
        quietly([*pip, *tools], remedy)
    with phase(f"installing the pinned Python packages ({SIZES[level]} the first time)"):
        sync = [python, "-m", "uv", "pip", "sync", "--quiet", "--python", python, "--require-hashes"]
        # Where Python may write no bytecode (a read-only folder, PYTHONDONTWRITEBYTECODE), every start of every process
        # would compile all that it imports anew, which takes longer than the rest of the start.
        sync += ["--compile-bytecode", "--build-constraints", "requirements/build-constraints.txt"]
        if level == "dev" and before != "dev":
            sync += [word for name in WHOLE_FOR_DEVELOPERS for word in ("--reinstall-package", name)]
        quietly([*sync, f"requirements/{PINS[level]}"], remedy, trusting_as_the_system())
        quietly([python, "-m", "compileall", "-q", *OWN_PACKAGES], remedy)
    packages = Path(site_packages())
    if level != "dev":
        with phase("leaving out what only developers use"):
            quietly([*pip, "uninstall", "--yes", *ONLY_TO_SET_UP], remedy)
            for found in (each for pattern in LEFT_OUT for each in packages.glob(pattern)):
                shutil.rmtree(found) if found.is_dir() else found.unlink()
    Path(packages, "reception-terminal.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    STAMP.write_text(wanted_stamp(level))
    say(f"Ready after {time.monotonic() - started:.1f} s.")


def site_packages() -> str:
    """Return where the packages of `.venv` are."""
    command = [str(VENV_PYTHON), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


NEEDS_OF = {"test": TEST_NEEDS, "bench": BENCH_NEEDS}


def set_up(what: str, level: str) -> bool:
    """Bring system packages and `.venv` to what the pinned files ask for; return whether nothing at all is lacking.

    ``what``: "test" and "bench" need more than the others.
    """
    needs = START_NEEDS + NEEDS_OF.get(what, ())
    if is_ready(level):
        return provide(needs)
    say(f"Setting up in {ROOT} (only needed once).")
    with only_one_at_a_time():
        if is_ready(level):  # the start that we waited for has done it
            return provide(needs)
        all_there = provide(BUILD_NEEDS + needs)
        build_venv(level_to_build(level), level_held())
        return all_there
