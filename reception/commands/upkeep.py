"""Commands for those who look after a terminal: doctor, staff passwords, recordings."""

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from reception.commands.arguments import AddCommand, refuse

if TYPE_CHECKING:
    import config


def add(command: AddCommand) -> None:
    """Add the commands of upkeep."""
    record = command("record", _record, "record camera frames, with their times, for exact replay")
    record.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or an empty folder")
    record.add_argument("--seconds", type=float, default=10.0, help="at most 60 (default: 10)")
    record.add_argument(
        "--config", type=Path, help="settings with the camera, or the clip (default: the shipped)"
    )
    check = command("doctor", doctor, "check this installation: one line for each part, with the remedy")
    check.add_argument("--config", type=Path, help="settings (default: the shipped terminal.toml)")
    check.add_argument("--json", type=Path, metavar="F", help="write the findings as JSON")
    check.add_argument(
        "--camera",
        action="store_true",
        help="only the camera, for 8 s: size, pace, light, turned or mirrored",
    )
    staff = command("staff-password", _staff_password, "set the password with which staff check by sight")
    staff.add_argument(
        "--staff", default="staff", metavar="ID", help="an id of your own, no name (default: staff)"
    )
    staff.add_argument(
        "--role",
        choices=("clerk", "administrator"),
        help="an administrator also sees the audit and every terminal's settings (default: clerk, or as before)",
    )
    staff.add_argument("--remove", action="store_true", help="forget the password of this id instead")


def _record(options: argparse.Namespace) -> int:
    import config
    from hardware.camera import open_camera, open_clip
    from hardware.camera.recorder import LONGEST_S, record

    if not 0 < options.seconds <= LONGEST_S:
        return refuse(f"--seconds {options.seconds:g}: should be above 0 and at most {LONGEST_S:g}")
    camera = config.load(options.config).camera
    source = open_clip(Path(camera.clip), "fast") if camera.clip else open_camera(camera)
    words = f"clip {camera.clip}" if camera.clip else f"camera {camera.device or camera.index}"
    stop = threading.Event()
    handled = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    print(f"Recording {words} for {options.seconds:g} s into {options.out} (Ctrl-C ends it and keeps it).")
    print("You asked for this: the frames show faces, and stay there until you delete them.", flush=True)
    told = 0.0

    def progress(seconds: float, frames: int) -> None:
        nonlocal told
        if seconds >= told + 1:
            told = seconds
            print(f"  {seconds:5.1f} s  {frames} frames", flush=True)

    try:
        made = record(source, options.out, options.seconds, words=words, stop=stop, progress=progress)
    finally:
        for number, before in handled.items():
            signal.signal(number, before)
    missed = f", {made.missed} missed (the disk is too slow)" if made.missed else ""
    print(f"{options.out}: {made.frames} frames in {made.seconds:.1f} s{missed}")
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Print one line for each part of this installation."""
    import config
    from reception.doctor import Grade, as_json, examine_all

    settings = config.load(options.config)
    if options.camera:
        return _look_through_camera(settings)
    findings = []
    for finding in examine_all(settings, options.state):
        print(finding.line(), flush=True)
        findings.append(finding)
    if options.json:
        options.json.write_text(as_json(findings), encoding="utf-8")
    problems = sum(finding.grade is Grade.PROBLEM for finding in findings)
    warnings = sum(finding.grade is Grade.WARNING for finding in findings)
    print(f"{problems} problems, {warnings} warnings")
    return 1 if problems else 0


def _look_through_camera(settings: "config.Config") -> int:
    from hardware.face.engine import EngineLost, FaceEngine
    from reception.doctor.camera import report

    with FaceEngine(network=settings.face.model) as engine:
        engine.ready.wait(30)
        try:
            return 0 if report(settings.camera, engine, lambda line: print(line, flush=True)) else 1
        except EngineLost as error:
            return refuse(f"doctor: {error}")


def _staff_password(options: argparse.Namespace) -> int:
    from getpass import getpass

    from reception.counter.sessions import Role, roles_file, set_role
    from reception.terminal.staff import remove_password, set_password, staff_file

    path = staff_file(options.state)
    if options.remove:
        remove_password(path, options.staff)
        set_role(roles_file(options.state), options.staff, Role.CLERK)
        print(f"{options.staff}: the password is forgotten")
        return 0
    if not sys.stdin.isatty():
        return refuse("staff-password: asks for the password, so it needs a terminal")
    password = getpass(f"password of {options.staff}: ")
    if getpass("once more: ") != password:
        return refuse("staff-password: the two passwords differ; nothing was changed")
    set_password(path, options.staff, password)
    if options.role:
        set_role(roles_file(options.state), options.staff, Role(options.role))
    print(f"{options.staff}: the password is set; its hash stands in {path}")
    return 0
