"""Checks an installation part by part: what works, what does not, and what to do about it.

Every check runs in a thread of its own with a time limit, so that a device that hangs is one line of the answer.
Nothing is changed, except that a missing state folder is made. A terminal that runs meanwhile is not disturbed; a
camera that it is using shows as busy.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from config import Config, ConfigError
from consent.eligibility import EligibilityClient, EligibilityError, Refused, Unreachable
from consent.receipt_files.folder import ReceiptFolder, ReceiptFolderError
from consent.server.certificates import Authority
from consent.server.state_files import StateError, parsed_subject, read
from hardware.camera import CameraBlack, CameraBusy, CameraError, check_camera, open_camera, open_clip
from hardware.card import NoReader, Presence, ReaderError, ServiceDown
from reception.journal import JournalError, examine
from reception.site import journal_file
from reception.speech.player import find_command, reason_of
from reception.speech.sounds import RATE

LOW_BYTES = 500_000_000
"""Less free space than this is a warning."""
CLOCK_WARNING_S, CLOCK_PROBLEM_S = 5.0, 60.0
"""How far this machine's clock may be from the server's; the server's answer tells whole seconds."""
SECRET_MODE = 0o077
"""Nobody but the terminal's own user may read its key."""
_PROBE = bytes(65_536)
_JAPAN = timedelta(hours=9)
_OLDEST = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock before this has lost its battery."""


class Grade(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """How one part is; where it is not in order, the remedy, and the same in short Japanese for staff."""

    part: str
    grade: Grade
    what: str
    remedy: str = ""
    staff: str = ""

    def line(self) -> str:
        """Return it as one line of text."""
        text = f"{self.grade:<8} {self.part:<18} {self.what}"
        return f"{text}. {self.remedy} ({self.staff})" if self.remedy else text


class _Wrong(Exception):
    """What a check found not to be in order."""

    def __init__(self, what: str, remedy: str, staff: str, grade: Grade = Grade.PROBLEM) -> None:
        super().__init__(what)
        self.finding = what, remedy, staff
        self.grade = grade


def _warn(what: str, remedy: str, staff: str) -> _Wrong:
    return _Wrong(what, remedy, staff, Grade.WARNING)


Look = Callable[[], str]
"""Looks at one part and returns what is there; raises _Wrong."""


@dataclass(frozen=True)
class Check:
    """One part, how to look at it, and how long that may take."""

    part: str
    look: Look
    limit_s: float = 10.0


def examine_all(config: Config, state: Path) -> Iterator[Finding]:
    """Look at every part at the same time, and yield what was found in the order of the list."""
    yield from run(checks(config, state))


def checks(config: Config, state: Path) -> list[Check]:
    """Return the checks that this configuration needs."""
    found = [
        Check("reader service", _reader_service),
        Check("card reader", lambda: _reader(config.reader.name)),
    ]
    if config.phone_reader.name:
        found.append(Check("phone reader", lambda: _phone_reader(config)))
    return [
        *found,
        Check("camera", lambda: _camera(config)),
        Check("fonts", _fonts),
        Check("sound", lambda: _sound(config)),
        Check("face engine", lambda: _face_engine(config.face.model), 40.0),
        Check("eligibility server", lambda: _server(config)),
        Check("terminal key", lambda: _terminal_key(config, state)),
        Check("certificates", lambda: _certificates(state)),
        Check("state folder", lambda: _state_folder(state)),
        Check("receipt folder", lambda: _receipt_folder(config)),
        Check("journal", lambda: _journal(config, state)),
        Check("clock", lambda: _clock(config)),
    ]


def run(wanted: list[Check]) -> Iterator[Finding]:
    """Run checks side by side, each within its limit; one that hangs is left behind."""
    began = time.monotonic()
    running = []
    for check in wanted:
        answers: list[Finding] = []
        thread = threading.Thread(target=_answer, args=(check, answers), name=check.part, daemon=True)
        thread.start()
        running.append((check, thread, answers))
    for check, thread, answers in running:
        thread.join(max(0.0, began + check.limit_s - time.monotonic()))
        yield answers[0] if answers else _hangs(check)


def _answer(check: Check, answers: list[Finding]) -> None:
    try:
        finding = Finding(check.part, Grade.OK, check.look())
    except _Wrong as wrong:
        finding = Finding(check.part, wrong.grade, *wrong.finding)
    except Exception as error:  # a check that fails in a way nobody foresaw is a finding, too
        finding = Finding(
            check.part,
            Grade.PROBLEM,
            f"cannot be checked: {type(error).__name__}: {error}",
            "Send this line to whoever maintains the terminal.",
            "この行を保守に送ってください",
        )
    answers.append(finding)


def _hangs(check: Check) -> Finding:
    return Finding(
        check.part,
        Grade.PROBLEM,
        f"no answer within {check.limit_s:g} s",
        "It hangs: unplug the device and plug it in again, or restart the machine; check the network for folders.",
        "応答がありません。つなぎ直すか、再起動してください",
    )


def as_json(findings: list[Finding]) -> str:
    """Return findings as a JSON list of objects."""
    return json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2) + "\n"


# --- Readers ----------------------------------------------------------------------------------------------------


def _reader_service() -> str:
    from hardware.pcsc import reader_names

    try:
        names = reader_names()
    except ReaderError as error:
        if "8010006A" in str(error):
            raise _Wrong(
                str(error),
                "Allow this user by the polkit rule in packaging/50-reception-pcsc.rules.",
                "このユーザーにPC/SCの使用を許可してください",
            ) from None
        raise _Wrong(
            str(error),
            "Start it: systemctl enable --now pcscd.socket",
            "PC/SCサービス(pcscd)を起動してください",
        ) from None
    return f"it runs, readers attached: {len(names)}"


def _reader(pattern: str) -> str:
    from hardware.pcsc import PcscReader, reader_names

    reader = PcscReader(pattern)
    try:
        presence = reader.presence()
    except ServiceDown:
        raise _Wrong(
            "cannot be asked without the reader service",
            "See the line of the reader service.",
            "PC/SCサービスを先に確認してください",
        ) from None
    except NoReader as error:
        raise _Wrong(
            str(error),
            "Check its cable and driver, and its name in the configuration.",
            "カードリーダーのケーブルを確認してください",
        ) from None
    except ReaderError as error:
        raise _Wrong(
            str(error), "Unplug it and plug it in again.", "カードリーダーをつなぎ直してください"
        ) from None
    if presence is Presence.MUTE:
        raise _warn(
            f"{reader.name}: what lies in it does not answer",
            "Take it out; clean the contacts.",
            "中のカードを取り出してください",
        )
    others = [name for name in reader_names() if name != reader.name]
    if pattern == "*" and others:
        raise _warn(
            f"{reader.name} is used, and there are others: {', '.join(others)}",
            "Name the right one: [reader] name.",
            "使うカードリーダーを設定で指定してください",
        )
    return f"{reader.name}, {'a card is in' if presence is Presence.PRESENT else 'empty'}"


def _phone_reader(config: Config) -> str:
    from hardware.pcsc import PcscReader

    found = _reader(config.phone_reader.name)
    cards, phones = PcscReader(config.reader.name), PcscReader(config.phone_reader.name)
    try:
        cards.presence(), phones.presence()
    except ReaderError:
        return found  # the card reader's own line tells it
    if cards.name == phones.name:
        raise _Wrong(
            f"{phones.name} is the card reader, too",
            "Give [reader] name and [phone_reader] name patterns that fit one reader each.",
            "カード用とスマートフォン用の設定が同じです",
        )
    return found


# --- Camera, fonts, face engine ---------------------------------------------------------------------------------


def _camera(config: Config) -> str:
    clip = config.camera.clip
    try:
        source = open_clip(Path(clip)) if clip else open_camera(config.camera.index)
        try:
            check_camera(source)
        finally:
            source.close()
    except ConfigError as error:
        raise _Wrong(str(error), "Correct [camera] clip.", "カメラの設定を確認してください") from None
    except CameraBlack as error:
        raise _Wrong(
            str(error), "Uncover the lens; check the light.", "レンズのふたと照明を確認してください"
        ) from None
    except CameraBusy as error:
        raise _Wrong(
            str(error),
            "End that program; a terminal has the camera while a face is matched.",
            "カメラを使うほかのプログラムを終了してください",
        ) from None
    except CameraError as error:
        raise _Wrong(
            str(error),
            "Check its cable and [camera] index; the user must be in the group video.",
            "カメラのケーブルを確認してください",
        ) from None
    if clip:
        raise _warn(
            "recorded frames stand in its place",
            "For real use remove [camera] clip.",
            "録画した映像が設定されています",
        )
    return f"camera {config.camera.index} gives pictures"


def _fonts() -> str:
    # Another process: an application of Qt belongs to a program's first thread.
    root = str(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "reception.screens.fonts"],
        env={**os.environ, "PYTHONPATH": paths, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=9.0,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise _Wrong(
            f"the windows cannot be drawn: {last[:160]}",
            "Start ./run once as root, which installs what Qt needs.",
            "画面の部品が足りません。保守に連絡してください",
        )
    asked_for, families = json.loads(done.stdout.splitlines()[-1])
    if not families:
        raise _Wrong(
            "no Japanese font is there",
            "Install one: apt-get install fonts-noto-cjk",
            "日本語フォントを入れてください",
        )
    if not asked_for:
        raise _warn(
            f"{families[0]} stands in for the fonts that the screens were drawn for",
            "Install one of those: apt-get install fonts-noto-cjk",
            "画面の文字が切れることがあります。フォントを入れてください",
        )
    return f"{asked_for[0]} is there"


def _sound(config: Config) -> str:
    """Play a moment of silence."""
    if not config.sound.voice:
        return "the voice is switched off ([sound] voice)"
    remedy, staff = "Connect a loudspeaker and look at `aplay -l`.", "スピーカーの接続を確認してください"
    command = find_command()
    if command is None:
        install = "Install alsa-utils, or set [sound] voice = false."
        raise _warn("no program that plays sound", install, "音声が出ません。保守に連絡してください")
    silence = bytes(RATE // 50)
    played = subprocess.run(command, input=silence, capture_output=True, check=False)
    if played.returncode:
        raise _warn(f"{command[0]}: {reason_of(played.stderr)}", remedy, staff)
    return f"{command[0]}, volume {config.sound.volume} %"


def _face_engine(network: str) -> str:
    from hardware.face_engine import FaceEngine

    began = time.monotonic()
    with FaceEngine(network=network) as engine:
        while engine.alive and not engine.ready.wait(0.1):
            pass
        if engine.trouble:
            raise _Wrong(
                engine.trouble,
                "Put the file of [face] model right; for the installed one, remove .venv and start ./run again.",
                "顔認証が使えません。暗証番号をご案内ください",
            )
        if not engine.ready.is_set():
            raise _Wrong(
                "it does not start",
                "Remove .venv and start ./run again; meanwhile the face route is not offered.",
                "顔認証が使えません。暗証番号をご案内ください",
            )
        if engine.why_slow:
            raise _warn(
                f"dlib embeds, about eight times slower: {engine.why_slow}",
                "Remove .venv and start ./run again, which installs the pinned OpenCV.",
                "顔認証が遅くなります。保守に連絡してください",
            )
        return (
            f"{engine.embedder} embeds, its self-check agrees with dlib; "
            f"ready after {time.monotonic() - began:.1f} s"
        )


# --- Server, keys -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Caller:
    """The name of this terminal; the doctor signs nothing, and makes no key."""

    id: str

    @property
    def private_key(self) -> rsa.RSAPrivateKey:
        raise AssertionError("the doctor signs nothing")


def _client(config: Config) -> EligibilityClient:
    return EligibilityClient(config.server, _Caller(config.site.terminal_id))


def _server(config: Config) -> str:
    client, url = _client(config), config.server.url
    try:
        client.challenge()
    except Refused as refused:
        if refused.code == "TERMINAL_UNKNOWN":
            raise _Wrong(
                f"{url} does not know {config.site.terminal_id}",
                "Enrol the terminal: start it once on the server's state folder, or copy its key there.",
                "この端末をサーバーに登録してください",
            ) from None
        raise _Wrong(
            str(refused), "Ask whoever runs the server.", "サーバーの管理者に連絡してください"
        ) from None
    except Unreachable as error:
        raise _Wrong(
            f"{url}: {error}",
            "Check network and [server] url, and that the server runs.",
            "ネットワークとサーバーを確認してください",
        ) from None
    except EligibilityError as error:
        raise _Wrong(
            f"{url}: {error}",
            "Something answers badly there; check [server] url and the server.",
            "サーバーの状態を確認してください",
        ) from None
    finally:
        client.close()
    return f"{url} answers and knows {config.site.terminal_id}"


def _terminal_key(config: Config, state: Path) -> str:
    name = config.site.terminal_id
    try:
        key = Authority(state).terminal_public_key(name)
    except StateError as error:
        raise _Wrong(
            str(error),
            "Restore the file from a backup, or enrol the terminal anew.",
            "端末の鍵が使えません。保守に連絡してください",
        ) from None
    if key is None:
        raise _warn(
            f"{name} has none yet",
            "It is made when the terminal first starts; then enrol it.",
            "端末を一度起動してください",
        )
    file = state / "terminals" / f"{name}.pem"
    if stat.S_IMODE(file.stat().st_mode) & SECRET_MODE:
        raise _warn(f"{file} can be read by others", f"chmod 600 {file}", "鍵ファイルの権限を直してください")
    return f"{name} has its key, RSA-{key.key_size}"


def _certificates(state: Path) -> str:
    files = sorted((state / "pki").glob("*.pem"))
    now = datetime.now(UTC)
    try:
        for file in files:
            content = read(file)
            if content is None or b"CERTIFICATE" not in content:
                continue  # a key alone
            certificate = parsed_subject(file, content).certificate
            if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
                raise _Wrong(
                    f"{file}: is not valid today ({certificate.not_valid_before_utc:%Y-%m-%d} to"
                    f" {certificate.not_valid_after_utc:%Y-%m-%d})",
                    "Check the clock first; else remove the file to have it made anew.",
                    "時計と証明書の期限を確認してください",
                )
    except StateError as error:
        raise _Wrong(
            str(error), "Restore the file from a backup.", "証明書が壊れています。保守に連絡してください"
        ) from None
    return f"test authority: {len(files)} files in order" if files else "no test authority on this machine"


# --- Folders and journal ----------------------------------------------------------------------------------------


def _probe(folder: Path) -> None:
    """Write a file that has no name, or loses it at once; raises OSError."""
    with tempfile.TemporaryFile(prefix=".doctor-", dir=folder) as file:
        file.write(_PROBE)
        file.flush()
        os.fsync(file.fileno())


def _free(folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    words = f"{folder}, {free / 1e9:.1f} GB free"
    if free < LOW_BYTES:
        raise _warn(words, "Make room on that disk.", "空き容量が少なくなっています")
    return words


def _state_folder(state: Path) -> str:
    try:
        state.mkdir(parents=True, exist_ok=True)
        _probe(state)
    except OSError as error:
        raise _Wrong(
            f"{state} cannot be written: {error.strerror or error}",
            "Give the terminal's user the folder, with free space.",
            "保存先に書き込めません。権限と空き容量を確認してください",
        ) from None
    return _free(state)


def _receipt_folder(config: Config) -> str:
    if not config.receipt.folder:
        return "not used"
    root = Path(config.receipt.folder)
    folder = ReceiptFolder(root, config.site.institution_code, config.receipt.encoding)
    try:
        folder.check()
        for name in ("face", "res"):
            _probe(root / name)
    except ReceiptFolderError as error:
        raise _Wrong(
            str(error),
            "Mount the share and give the terminal's user face, req and res in it.",
            error.for_counter,
        ) from None
    except OSError as error:
        raise _Wrong(
            f"{root} cannot be written: {error.strerror or error}",
            "Check rights and free space of the share.",
            "レセコンとの共有フォルダの権限と空き容量を確認してください",
        ) from None
    return _free(root)


def _journal(config: Config, state: Path) -> str:
    path = journal_file(config, state)
    try:
        counts = examine(path)
    except (JournalError, OSError) as error:
        raise _Wrong(
            str(error),
            "Move the file away: a new one is begun, and the old one's open visits are to be looked up at the server.",
            "受付の記録が開けません。保守に連絡してください",
        ) from None
    if counts is None:
        return "none yet; it is made when the terminal first starts"
    visits, unsettled = counts
    if unsettled:
        raise _warn(
            f"visits: {visits}, with an unknown end: {unsettled}",
            "The running terminal asks the server about them; see the counter's notices.",
            "結果の不明な受付があります。窓口の画面を確認してください",
        )
    return f"opens, visits: {visits}"


# --- Clock ------------------------------------------------------------------------------------------------------


def _clock(config: Config) -> str:
    now = datetime.now().astimezone()
    if now < _OLDEST:
        raise _Wrong(
            f"it shows {now:%Y-%m-%d}",
            "Set it, and have it kept: timedatectl set-ntp true",
            "時計を合わせてください",
        )
    client = _client(config)
    try:
        ahead = client.clock_ahead_s()
        compared = f"{abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} the server's"
    except EligibilityError:
        ahead, compared = 0.0, "not compared with the server's"
    finally:
        client.close()
    if abs(ahead) > CLOCK_WARNING_S:
        grade = Grade.PROBLEM if abs(ahead) > CLOCK_PROBLEM_S else Grade.WARNING
        raise _Wrong(compared, "Have it kept: timedatectl set-ntp true", "時計を合わせてください", grade)
    if now.utcoffset() != _JAPAN:
        raise _warn(
            f"the time zone is {now.tzname()}, not Japan's",
            "timedatectl set-timezone Asia/Tokyo",
            "時間帯を日本にしてください",
        )
    return f"{now:%Y-%m-%d %H:%M} in Japan, {compared}"
