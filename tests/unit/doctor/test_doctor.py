"""The doctor: each check is proved by provoking its failure, on the real thing where that is possible."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

import config
from config import HOME, Camera, Card, Config, Delays, PhoneReader, Reader, Receipt, Server, Site, Sound
from consent.enrolment.state_files import Subject, new_key, written
from consent.server.certificates import Authority
from hardware.camera.clips import write_clip
from hardware.card import Presence, ReaderBusy, ServiceDown
from hardware.card.pcsc import PcscReader
from hardware.simulation.pcscd import READER, SECOND_READER, PcscdBench, service_folder
from hardware.simulation.virtual_card import foreign_card
from reception import doctor
from reception.__main__ import main
from reception.doctor import Check, Finding, Grade
from reception.flow import Session, State, VisitProgress
from reception.terminal.assembly import journal_file, open_journal
from tests.support import ROOT, cards, servers
from tests.support.pcscd import running_pcscd

SHIPPED = config.load()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def look(part: str, settings: Config = SHIPPED, state: Path = Path("unused")) -> Finding:
    wanted = [check for check in doctor.checks(settings, state) if check.part == part]
    (finding,) = doctor.run(wanted)
    return finding


def assert_wrong(finding: Finding, grade: Grade, what: str) -> None:
    assert (finding.grade, what in finding.what) == (grade, True), finding
    assert finding.remedy
    assert finding.staff


# --- Readers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PcscdBench]:
    with running_pcscd(faults=True) as bench:
        yield bench


def test_service_and_reader_in_order(pcscd: PcscdBench) -> None:
    assert look("reader service") == Finding("reader service", Grade.OK, "it runs, readers attached: 2")
    named = replace(SHIPPED, reader=Reader(READER))
    assert look("card reader", named).what == f"{READER}, empty"
    pcscd.slot.insert(cards.card())
    try:
        deadline = time.monotonic() + 5
        while "a card is in" not in look("card reader", named).what:
            assert time.monotonic() < deadline
    finally:
        pcscd.slot.remove()


def test_a_service_that_was_stopped_is_told_on_its_line_and_the_readers(pcscd: PcscdBench) -> None:
    pcscd.stop_service()
    try:
        assert_wrong(look("reader service"), Grade.PROBLEM, "does not run")
        assert_wrong(look("card reader"), Grade.PROBLEM, "without the reader service")
    finally:
        pcscd.start_service()


def test_a_reader_of_another_name_is_not_found(pcscd: PcscdBench) -> None:
    settings = replace(SHIPPED, reader=Reader("Identiv*"), phone_reader=PhoneReader("ACS*"))
    assert_wrong(look("card reader", settings), Grade.PROBLEM, "no reader is named Identiv*")
    assert_wrong(look("phone reader", settings), Grade.PROBLEM, "no reader is named ACS*")


def test_one_reader_cannot_serve_cards_and_phones(pcscd: PcscdBench) -> None:
    same = replace(SHIPPED, reader=Reader(READER), phone_reader=PhoneReader(READER))
    assert_wrong(look("phone reader", same), Grade.PROBLEM, "is the card reader, too")
    two = replace(same, phone_reader=PhoneReader(SECOND_READER))
    assert look("phone reader", two).grade is Grade.OK


def test_without_a_phone_reader_in_the_settings_there_is_no_line_for_it() -> None:
    assert "phone reader" not in [check.part for check in doctor.checks(SHIPPED, Path("unused"))]


def test_of_several_readers_each_is_told_and_the_phone_reader_is_none_of_them(pcscd: PcscdBench) -> None:
    reader = PcscReader(READER)
    try:
        # pcscd may not have noticed yet that the card of another test is gone.
        reader.wait_for_change(Presence.PRESENT, 5)
    finally:
        reader.close()
    finding = look("card reader")
    assert finding.grade is Grade.OK
    assert finding.what == (
        f"{READER}, empty; {SECOND_READER}, empty (2 readers match, a card counts in each)"
    )
    with_phones = replace(SHIPPED, phone_reader=PhoneReader(SECOND_READER))
    assert look("card reader", with_phones).what == f"{READER}, empty"


def test_a_card_that_another_program_keeps_is_told(pcscd: PcscdBench) -> None:
    pcscd.slot.insert(cards.card())
    reader = PcscReader(READER)
    try:
        assert reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT
        held = reader.connect()
        try:
            finding = look("card reader", replace(SHIPPED, reader=Reader(READER)))
            assert_wrong(finding, Grade.WARNING, "another program has the card for longer than 3 s")
        finally:
            held.close()
    finally:
        pcscd.slot.remove()


def test_authorities_of_card_photos_are_counted_and_a_file_with_none_for_today_is_told(
    tmp_path: Path,
) -> None:
    assert look("card authorities").what == "1 of 1 count today"
    past = tmp_path / "past.toml"
    shipped = (HOME / "card_authorities.toml").read_text(encoding="utf-8")
    past.write_text(f"{shipped}ends = 2020-01-01\n", encoding="utf-8")
    settings = replace(SHIPPED, card=Card(authorities=str(past)))
    assert_wrong(look("card authorities", settings), Grade.WARNING, "none of 1 counts today")
    past.write_text(f"{shipped}ends = 2010-01-01\n", encoding="utf-8")
    assert_wrong(look("card authorities", settings), Grade.PROBLEM, "is before it begins")


def test_a_service_that_hangs_does_not_hang_the_doctor(pcscd: PcscdBench) -> None:
    assert pcscd.pid
    os.kill(pcscd.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        wanted = [
            replace(check, limit_s=0.5) for check in doctor.checks(SHIPPED, Path()) if "reader" in check.part
        ]
        findings = list(doctor.run(wanted))
        took = time.monotonic() - began
    finally:
        os.kill(pcscd.pid, signal.SIGCONT)
    assert [finding.what for finding in findings] == ["no answer within 0.5 s"] * 2
    assert took < 5


def test_a_user_whom_the_service_refuses_is_sent_to_the_polkit_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> list[str]:
        raise ServiceDown("the smart card service accepts no connection (8010006A)")

    monkeypatch.setattr("hardware.card.pcsc.reader_names", refused)
    finding = look("reader service")
    assert_wrong(finding, Grade.PROBLEM, "accepts no connection")
    assert (ROOT / finding.remedy.split()[-1].rstrip(".")).is_file()


def test_something_in_the_reader_that_does_not_answer_is_told(pcscd: PcscdBench) -> None:
    pcscd.second_slot.insert(foreign_card("mute"))
    try:
        assert PcscReader(SECOND_READER).wait_for_change(Presence.EMPTY, 5) is not Presence.EMPTY
        finding = look("card reader")
        assert_wrong(finding, Grade.WARNING, "does not answer")
        assert finding.what.startswith(SECOND_READER)
    finally:
        pcscd.second_slot.remove()


def test_a_reader_that_another_program_keeps_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(reader: object) -> Presence:
        raise ReaderBusy("another program has the reader")

    monkeypatch.setattr("hardware.card.pcsc.PcscReader.presence", kept)
    assert_wrong(look("card reader"), Grade.PROBLEM, "another program has the reader")


# --- Camera, fonts, face engine ---------------------------------------------------------------------------------


def clip(folder: Path, light: int) -> Config:
    frames = [
        np.random.default_rng(number).integers(light, light + 4, (48, 64, 3), np.uint8) for number in range(6)
    ]
    write_clip(folder, frames, source="drawn by a test", fps=30)
    return replace(SHIPPED, camera=Camera(clip=str(folder)))


def test_a_black_camera_is_told(tmp_path: Path) -> None:
    assert_wrong(look("camera", clip(tmp_path / "clip", 0)), Grade.PROBLEM, "black pictures")


def test_recorded_frames_in_place_of_a_camera_are_told(tmp_path: Path) -> None:
    assert_wrong(look("camera", clip(tmp_path / "clip", 90)), Grade.WARNING, "recorded frames")


def test_a_clip_that_is_not_there_is_told(tmp_path: Path) -> None:
    settings = replace(SHIPPED, camera=Camera(clip=str(tmp_path / "nowhere")))
    assert_wrong(look("camera", settings), Grade.PROBLEM, "no such clip folder")


def test_a_camera_that_is_not_there_is_told() -> None:
    settings = replace(SHIPPED, camera=Camera(index=63))
    assert_wrong(look("camera", settings), Grade.PROBLEM, "there is no camera 63")


def test_a_camera_that_gives_no_picture_is_taken_to_be_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "video63").touch()
    monkeypatch.setattr("hardware.camera.device._DEVICES", tmp_path)
    settings = replace(SHIPPED, camera=Camera(index=63))
    assert_wrong(look("camera", settings), Grade.PROBLEM, "used by another program")


def test_a_japanese_font_is_found() -> None:
    assert look("fonts").grade is Grade.OK


def fonts_of(folder: Path, *fonts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything that is started from here find only these fonts."""
    (folder / "fonts").mkdir()
    for font in fonts:
        (folder / "fonts" / font.name).symlink_to(font)
    settings = f"<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>"
    (folder / "fonts.conf").write_text(settings, encoding="utf-8")
    monkeypatch.setenv("FONTCONFIG_FILE", str(folder / "fonts.conf"))


def test_a_machine_without_fonts_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fonts_of(tmp_path, monkeypatch=monkeypatch)
    assert_wrong(look("fonts"), Grade.PROBLEM, "no Japanese font")


def test_a_font_that_the_screens_were_not_drawn_for_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = list(Path("/usr/share/fonts").rglob("DroidSansFallback*.ttf"))
    if not others:
        pytest.skip("no other Japanese font is here")
    fonts_of(tmp_path, others[0], monkeypatch=monkeypatch)
    assert_wrong(look("fonts"), Grade.WARNING, "Droid Sans Fallback stands in")


def test_windows_that_cannot_be_drawn_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "PySide6.py").write_text("raise ImportError('libEGL.so.1: cannot open shared object file')")
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert_wrong(look("fonts"), Grade.PROBLEM, "libEGL.so.1")


def player(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make the only program that plays sound one of ours."""
    made = folder / "aplay"
    made.write_text(f"#!/bin/sh\n{script}\n")
    made.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_player_that_plays_is_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    player(tmp_path, monkeypatch, "while read -r line; do :; done")
    finding = look("sound")
    assert (finding.grade, "volume 80 %" in finding.what) == (Grade.OK, True), finding


def test_a_machine_without_a_loudspeaker_is_told_in_the_players_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player(tmp_path, monkeypatch, "echo 'cannot find card 0' >&2; exit 1")
    assert_wrong(look("sound"), Grade.WARNING, "cannot find card 0")


def test_a_machine_without_a_player_is_told_unless_the_voice_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_wrong(look("sound"), Grade.WARNING, "no program that plays sound")
    silent = look("sound", replace(SHIPPED, sound=Sound(voice=False)))
    assert (silent.grade, "switched off" in silent.what) == (Grade.OK, True)


def test_the_face_engine_says_which_network_runs_and_what_finds_faces() -> None:
    finding = look("face engine")
    assert (finding.grade, "sface compares (the default; run by opencv), yunet finds" in finding.what) == (
        Grade.OK,
        True,
    ), finding


def test_a_network_that_stands_in_for_another_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import cv2\n"
        "def refuse(model):\n"
        "    raise cv2.error('another OpenCV')\n"
        "cv2.dnn.readNetFromONNX = refuse\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert_wrong(look("face engine"), Grade.WARNING, "dlib compares (the default; run by dlib)")
    assert "SFace cannot be used" in look("face engine").what


@pytest.mark.expected_log("face engine cannot be used.*is no face network")
def test_a_network_file_that_is_none_is_told_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "network.dat"
    file.write_bytes(b"no network")
    settings = replace(SHIPPED, face=config.Face(model=str(file), threshold=0.3, fast_accept=0.3))
    assert_wrong(look("face engine", settings), Grade.PROBLEM, str(file))


@pytest.mark.expected_log("face engine did not start")
def test_a_face_engine_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert_wrong(look("face engine"), Grade.PROBLEM, "does not start")


# --- Server, keys, clock ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Bench]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with servers.bench(authority) as made:
        yield made


def asking(url: str, terminal: str = servers.TERMINAL) -> Config:
    return replace(SHIPPED, server=Server(url=url, read_timeout_s=0.5), site=Site(terminal_id=terminal))


@contextmanager
def answering(reply: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Something at a port that answers as a test says, and the URL of it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as stand_in:
        thread = threading.Thread(target=stand_in.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{stand_in.server_port}"
        stand_in.shutdown()
        thread.join()


def dated(ahead_s: float) -> Callable[[BaseHTTPRequestHandler], None]:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        shown = datetime.now(UTC) + timedelta(seconds=ahead_s)
        handler.send_header("Date", format_datetime(shown, usegmt=True))
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    return reply


def test_an_enrolled_terminal_and_an_unknown_one(server: servers.Bench) -> None:
    state = server.authority._state
    stranger = look("eligibility server", asking(server.server.url), state)
    assert_wrong(stranger, Grade.PROBLEM, "does not know terminal-1")
    server.authority.enrol_terminal(servers.TERMINAL)
    assert look("eligibility server", asking(server.server.url), state).grade is Grade.OK
    other_key = look("eligibility server", asking(server.server.url))
    assert_wrong(other_key, Grade.PROBLEM, "knows another key of terminal-1")
    unknown = look("eligibility server", asking(server.server.url, "somebody"))
    assert_wrong(unknown, Grade.PROBLEM, "does not know somebody")


def test_a_closed_port_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    settings = asking(f"http://127.0.0.1:{port}")
    assert_wrong(look("eligibility server", settings), Grade.PROBLEM, "cannot be reached")


def test_a_server_that_does_not_answer_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        settings = asking(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert_wrong(look("eligibility server", settings), Grade.PROBLEM, "did not answer in time")


def test_a_server_that_refuses_says_why() -> None:
    def refusal(handler: BaseHTTPRequestHandler) -> None:
        body = b'{"code": "TERMINAL_MISMATCH", "message": "the certificate is another terminal\'s"}'
        head = f"HTTP/1.0 403 No\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        handler.wfile.write(head.encode() + body)

    with answering(refusal) as url:
        assert_wrong(look("eligibility server", asking(url)), Grade.PROBLEM, "TERMINAL_MISMATCH")


def test_something_else_at_that_address_is_told() -> None:
    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n<html>")

    with answering(page) as url:
        assert_wrong(look("eligibility server", asking(url)), Grade.PROBLEM, "not JSON")


@pytest.fixture
def japan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


@pytest.mark.parametrize(
    ("ahead_s", "grade", "what"),
    [
        (0, Grade.OK, "0 s "),
        (-20, Grade.WARNING, "20 s ahead of the server's"),
        (600, Grade.PROBLEM, "600 s behind the server's"),
    ],
)
@pytest.mark.usefixtures("japan")
def test_a_clock_that_differs_from_the_servers(ahead_s: float, grade: Grade, what: str) -> None:
    with answering(dated(ahead_s)) as url:
        finding = look("clock", asking(url))
    # The server's answer has whole seconds.
    near = [what, what.replace("20 s", "19 s"), what.replace("600 s", "599 s"), what.replace("0 s ", "1 s ")]
    assert finding.grade is grade, finding
    assert any(words in finding.what for words in near), finding


def test_another_time_zone_is_told(monkeypatch: pytest.MonkeyPatch, japan: None) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    with answering(dated(0)) as url:
        assert_wrong(look("clock", asking(url)), Grade.WARNING, "the time zone is CE")


def test_a_terminal_without_key_gets_none_from_the_doctor(tmp_path: Path) -> None:
    assert_wrong(look("terminal key", state=tmp_path), Grade.WARNING, "none yet")
    assert list(tmp_path.iterdir()) == []


def test_a_terminals_key_in_order_readable_by_others_and_damaged(tmp_path: Path) -> None:
    name = SHIPPED.site.terminal_id
    Authority(tmp_path).enrol_terminal(name)
    assert look("terminal key", state=tmp_path).what == f"{name} has its key, RSA-2048"
    file = tmp_path / "terminals" / f"{name}.pem"
    file.chmod(0o644)
    assert_wrong(look("terminal key", state=tmp_path), Grade.WARNING, "read by others")
    file.write_bytes(b"no key")
    assert_wrong(look("terminal key", state=tmp_path), Grade.PROBLEM, "is damaged")


def test_a_damaged_certificate_is_told(tmp_path: Path) -> None:
    assert look("certificates", state=tmp_path).what == "no test authority on this machine"
    Authority(tmp_path).status_signer()
    assert look("certificates", state=tmp_path).what == "test authority: 2 files in order"
    file = tmp_path / "pki" / "user-authentication-ca.pem"
    file.write_bytes(file.read_bytes()[:-200])
    assert_wrong(
        look("certificates", state=tmp_path), Grade.PROBLEM, "user-authentication-ca.pem: is damaged"
    )


def test_a_certificate_that_has_ended_is_told(tmp_path: Path) -> None:
    key = new_key()
    name = x509.Name([])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=9))
    ended = Subject(key, made.sign(key, hashes.SHA256()))
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "old.pem").write_bytes(written(ended))
    told = look("certificates", state=tmp_path)
    assert_wrong(told, Grade.PROBLEM, "old.pem: is not valid today (2020-01-01 to 2020-01-10)")


def test_a_clock_that_lost_its_battery_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reception.doctor.network._OLDEST", datetime.now(UTC) + timedelta(days=1))
    assert_wrong(look("clock"), Grade.PROBLEM, "it shows 20")


@pytest.mark.parametrize(
    ("delays", "named"),
    [
        (Delays(warning_s=19.0), "[delays] warning_s:"),
        (Delays(pin_s=15.0, question_s=10.0), "[delays] pin_s, question_s:"),
    ],
)
def test_waits_too_short_for_slow_hands_are_told(delays: Delays, named: str) -> None:
    assert_wrong(look("waits", replace(SHIPPED, delays=delays)), Grade.WARNING, named)
    assert look("waits").what == "a wait for an answer warns 20 s before its end"


# --- Folders and journal ----------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own; skips where none may be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "doctor", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def shared(folder: Path) -> Config:
    for name in ("face", "req", "res"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return replace(SHIPPED, receipt=Receipt(str(folder)))


def test_folders_in_order_keep_nothing_of_the_doctor(tmp_path: Path) -> None:
    state = tmp_path / "state"
    settings = shared(tmp_path / "shared")
    for part in ("state folder", "receipt folder"):
        assert look(part, settings, state).grade is Grade.OK
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_a_file_in_the_place_of_the_state_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert_wrong(look("state folder", state=tmp_path / "state"), Grade.PROBLEM, "File exists")


@needs_root
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        settings = shared(disk)
        with suppress(OSError):
            (disk / "full").write_bytes(bytes(2_000_000))
        assert_wrong(look("state folder", state=disk), Grade.PROBLEM, "No space left")
        assert_wrong(look("receipt folder", settings), Grade.PROBLEM, "No space left")


@needs_root
def test_little_space_is_told(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        assert_wrong(look("state folder", state=disk), Grade.WARNING, "0.0 GB free")
        assert_wrong(look("receipt folder", shared(disk)), Grade.WARNING, "0.0 GB free")


@pytest.mark.parametrize("name", ["face", "req", "res"])
def test_a_receipt_folder_that_lacks_a_part_is_told(tmp_path: Path, name: str) -> None:
    settings = shared(tmp_path)
    (tmp_path / name).rmdir()
    assert_wrong(look("receipt folder", settings), Grade.PROBLEM, f"{name}: there is no such folder")


@needs_root
def test_folders_of_another_user_are_told() -> None:
    # Not below tmp_path: pytest lets no other user in there.
    place = Path("/var/tmp") / f"doctor-{os.getpid()}"
    shared(place / "shared")
    (place / "state").mkdir()
    program = (
        "import os, sys; from pathlib import Path; from dataclasses import replace\n"
        "import config; from config import Receipt; from reception import doctor\n"
        "os.setgid(65534); os.setuid(65534)\n"
        f"place = Path({str(place)!r})\n"
        "settings = replace(config.load(), receipt=Receipt(str(place / 'shared')))\n"
        "wanted = [one for one in doctor.checks(settings, place / 'state') if 'folder' in one.part]\n"
        "print(*(finding.line() for finding in doctor.run(wanted)), sep='\\n')\n"
    )
    try:
        for folder in place.rglob("*"):
            folder.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
        )
    finally:
        shutil.rmtree(place)
    state, receipts = done.stdout.splitlines()
    assert state.startswith("problem  state folder")
    assert "Permission denied" in state
    assert receipts.startswith("problem  receipt folder")
    assert "cannot be written" in receipts


def test_a_journal_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    assert "none yet" in look("journal", state=tmp_path).what
    assert list(tmp_path.iterdir()) == []


def test_a_journal_in_use_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    path = journal_file(SHIPPED, tmp_path)
    with closing(open_journal(SHIPPED, path)) as journal:
        rest = Session(SHIPPED)
        reading = replace(rest, visit=VisitProgress("visit-1"), state=State.READING)
        journal.note(rest, reading)
        assert look("journal", state=tmp_path).what == "opens, visits: 1"
        (entry,) = journal.entries()
        assert entry.outcome == ""
        journal.note(reading, replace(reading, state=State.SENDING))
        assert_wrong(look("journal", state=tmp_path), Grade.WARNING, "with an unknown end: 1")


def test_a_journal_that_is_none_or_of_another_release_is_told(tmp_path: Path) -> None:
    path = journal_file(SHIPPED, tmp_path)
    path.write_bytes(b"not a database" * 100)
    assert_wrong(look("journal", state=tmp_path), Grade.PROBLEM, "file is not a database")
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version=99")
    assert_wrong(look("journal", state=tmp_path), Grade.PROBLEM, "another release (version 99)")


# --- The whole --------------------------------------------------------------------------------------------------


def test_a_check_that_hangs_is_one_line_and_the_others_are_told() -> None:
    for_ever = threading.Event()
    wanted = [Check("stuck", lambda: str(for_ever.wait()), 0.05), Check("fine", lambda: "there")]
    stuck, fine = doctor.run(wanted)
    for_ever.set()
    assert_wrong(stuck, Grade.PROBLEM, "no answer within 0.05 s")
    assert fine == Finding("fine", Grade.OK, "there")


def test_a_check_that_breaks_is_a_finding() -> None:
    def broken() -> str:
        raise RuntimeError("unforeseen")

    (finding,) = doctor.run([Check("part", broken)])
    assert_wrong(finding, Grade.PROBLEM, "cannot be checked: RuntimeError: unforeseen")


@pytest.mark.parametrize(("grade", "code"), [(Grade.OK, 0), (Grade.WARNING, 0), (Grade.PROBLEM, 1)])
def test_the_command_prints_a_line_for_each_and_its_exit_code_tells_of_problems(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    grade: Grade,
    code: int,
) -> None:
    findings = [
        Finding("fonts", Grade.OK, "there"),
        Finding("camera", grade, "dark", "Uncover it.", "ふたを取ってください"),
    ]
    monkeypatch.setattr(doctor, "examine_all", lambda settings, state: iter(findings))
    file = tmp_path / "findings.json"
    assert main(["doctor", "--state", str(tmp_path), "--json", str(file)]) == code
    told = capsys.readouterr().out.splitlines()
    assert told[1] == f"{grade:<8} camera             dark. Uncover it. (ふたを取ってください)"
    assert len(told) == 3
    assert json.loads(file.read_text(encoding="utf-8"))[1] == {
        "part": "camera",
        "grade": grade,
        "what": "dark",
        "remedy": "Uncover it.",
        "staff": "ふたを取ってください",
    }


def test_a_state_folder_that_cannot_be_made_is_a_finding_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    all_checks = doctor.checks
    monkeypatch.setattr(
        doctor, "checks", lambda *given: [one for one in all_checks(*given) if one.part == "state folder"]
    )
    assert main(["doctor", "--state", str(tmp_path / "file" / "state")]) == 1
    assert "Not a directory" in capsys.readouterr().out


def test_a_wrong_configuration_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "terminal.toml").write_text("[camera]\nindex = -1\n")
    assert main(["doctor", "--config", str(tmp_path / "terminal.toml"), "--state", str(tmp_path)]) == 2
    assert "camera.index" in capsys.readouterr().err


def test_every_part_of_the_command_line_contract_has_a_check() -> None:
    settings = replace(SHIPPED, phone_reader=PhoneReader("ACS*"))
    assert [check.part for check in doctor.checks(settings, service_folder())] == [
        "reader service",
        "card reader",
        "phone reader",
        "card authorities",
        "camera",
        "fonts",
        "sound",
        "face engine",
        "eligibility server",
        "terminal key",
        "certificates",
        "state folder",
        "receipt folder",
        "journal",
        "waits",
        "counter page",
        "broker",
        "clock",
    ]
