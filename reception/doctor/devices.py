"""Checks of what is plugged in or installed: readers, camera, fonts, sound, face engine."""

import json
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import config
from config import Config, ConfigError
from config.face_networks import DLIB, SFACE, network_of
from hardware.camera import CameraBlack, CameraBusy, CameraError, check_camera, open_camera, open_clip
from hardware.card import (
    CardError,
    CardRemovedError,
    CardUnreadable,
    NoReader,
    Presence,
    ReaderBusy,
    ReaderError,
    ServiceDown,
    SteadyReader,
)
from hardware.card.reader_names import matching
from hardware.card.steady import BUSY_LIMIT_S
from reception.doctor.findings import Wrong, warn
from reception.speech.player import find_command, reason_of
from reception.speech.sounds import RATE
from reception.terminal.equipment import authorities_of


def look_at_reader_service() -> str:
    from hardware.card.pcsc import reader_names

    try:
        names = reader_names()
    except ReaderError as error:
        if "8010006A" in str(error):
            raise Wrong(
                str(error),
                "Allow this user by the polkit rule in packaging/50-reception-pcsc.rules.",
                "このユーザーにPC/SCの使用を許可してください",
            ) from None
        raise Wrong(
            str(error),
            "Start it: systemctl enable --now pcscd.socket",
            "PC/SCサービス(pcscd)を起動してください",
        ) from None
    return f"it runs, readers attached: {len(names)}"


def look_at_reader(pattern: str, besides: str = "") -> str:
    from hardware.card.pcsc import PcscReader, reader_names

    try:
        # Raises for a pattern that means none, with the names that there are.
        PcscReader(pattern, besides=besides).presence()
        meant = matching(pattern, reader_names(), besides)
        found = [_look_into(SteadyReader(PcscReader(name))) for name in meant]
    except ServiceDown:
        raise Wrong(
            "cannot be asked without the reader service",
            "See the line of the reader service.",
            "PC/SCサービスを先に確認してください",
        ) from None
    except NoReader as error:
        raise Wrong(
            str(error),
            "Check its cable and driver, and its name in the configuration.",
            "カードリーダーのケーブルを確認してください",
        ) from None
    except ReaderError as error:
        raise Wrong(
            str(error), "Unplug it and plug it in again.", "カードリーダーをつなぎ直してください"
        ) from None
    # A token that is always in one of them is passed over.
    several = f" ({len(meant)} readers match, a card counts in each)" if len(meant) > 1 else ""
    return "; ".join(found) + several


def _look_into(reader: SteadyReader) -> str:
    """Tell what is in one reader; a card is opened as a terminal does, and let go of."""
    presence = reader.presence()
    if presence is Presence.MUTE:
        raise _mute(reader)
    if presence is Presence.PRESENT:
        _try_to_connect(reader)
    return f"{reader.name}, {'a card is in' if presence is Presence.PRESENT else 'empty'}"


def _mute(reader: SteadyReader) -> Wrong:
    return warn(
        f"{reader.name}: what lies in it does not answer",
        "Take it out; clean the contacts.",
        "中のカードを取り出してください",
    )


def _try_to_connect(reader: SteadyReader) -> None:
    try:
        reader.connect().close()
    except ReaderBusy:
        raise warn(
            f"{reader.name}: another program has the card for longer than {BUSY_LIMIT_S:g} s",
            "End that program, unless it is this machine's own terminal with a visit on.",
            "カードリーダーを使うほかのプログラムを終了してください",
        ) from None
    except CardRemovedError:
        return
    except CardUnreadable:
        raise _mute(reader) from None
    except (CardError, ReaderError) as error:
        raise warn(
            f"{reader.name}: the card cannot be opened: {error}",
            "Take it out and put it in again; clean the contacts.",
            "カードを入れ直してください",
        ) from None


def look_at_card_authorities(config: Config, today: date) -> str:
    try:
        known = authorities_of(config)
    except ConfigError as error:
        raise Wrong(
            str(error), "Correct the file of [card] authorities.", "カードの発行者の設定を確認してください"
        ) from None
    counting = [each for each in known if each.counts_on(today)]
    if not counting:
        raise warn(
            f"none of {len(known)} counts today: no photo of a card is believed",
            "Add those of today to the file of [card] authorities (docs/guide/card-authenticity.md).",
            "顔認証が使えません。カードの発行者の設定を更新してください",
        )
    return f"{len(counting)} of {len(known)} count today"


def look_at_phone_reader(config: Config) -> str:
    from hardware.card.pcsc import reader_names

    found = look_at_reader(config.phone_reader.name)
    try:
        names = reader_names()
    except ReaderError:
        return found  # the card reader's own line tells it
    cards, phones = matching(config.reader.name, names), matching(config.phone_reader.name, names)
    if cards and not set(cards) - set(phones):
        raise Wrong(
            f"{cards[0]} is the card reader, too",
            "Give [reader] name and [phone_reader] name patterns that fit one reader each.",
            "カード用とスマートフォン用の設定が同じです",
        )
    return found


def look_at_camera(config: Config) -> str:
    clip = config.camera.clip
    try:
        source = open_clip(Path(clip)) if clip else open_camera(config.camera)
        try:
            check_camera(source)
        finally:
            source.close()
    except ConfigError as error:
        raise Wrong(str(error), "Correct [camera] clip.", "カメラの設定を確認してください") from None
    except CameraBlack as error:
        raise Wrong(
            str(error), "Uncover the lens; check the light.", "レンズのふたと照明を確認してください"
        ) from None
    except CameraBusy as error:
        raise Wrong(
            str(error),
            "End that program; a terminal has the camera while a face is matched.",
            "カメラを使うほかのプログラムを終了してください",
        ) from None
    except CameraError as error:
        raise Wrong(
            str(error),
            "Check its cable and [camera] index; the user must be in the group video.",
            "カメラのケーブルを確認してください",
        ) from None
    if clip:
        raise warn(
            "recorded frames stand in its place",
            "For real use remove [camera] clip.",
            "録画した映像が設定されています",
        )
    return f"camera {config.camera.index} gives pictures"


def look_at_fonts() -> str:
    # Another process: an application of Qt belongs to a program's first thread.
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "reception.patient.fonts"],
        env={**os.environ, "PYTHONPATH": paths, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=9.0,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Wrong(
            f"the windows cannot be drawn: {last[:160]}",
            "Start ./run once as root, which installs what Qt needs.",
            "画面の部品が足りません。保守に連絡してください",
        )
    asked_for, families = json.loads(done.stdout.splitlines()[-1])
    if not families:
        raise Wrong(
            "no Japanese font is there",
            "Install one: apt-get install fonts-noto-cjk",
            "日本語フォントを入れてください",
        )
    if not asked_for:
        raise warn(
            f"{families[0]} stands in for the fonts that the screens were drawn for",
            "Install one of those: apt-get install fonts-noto-cjk",
            "画面の文字が切れることがあります。フォントを入れてください",
        )
    return f"{asked_for[0]} is there"


def look_at_sound(config: Config) -> str:
    """Play a moment of silence."""
    if not config.sound.voice:
        return "the voice is switched off ([sound] voice)"
    remedy, staff = "Connect a loudspeaker and look at `aplay -l`.", "スピーカーの接続を確認してください"
    command = find_command()
    if command is None:
        install = "Install alsa-utils, or set [sound] voice = false."
        raise warn("no program that plays sound", install, "音声が出ません。保守に連絡してください")
    silence = bytes(RATE // 50)
    played = subprocess.run(command, input=silence, capture_output=True, check=False)
    if played.returncode:
        raise warn(f"{command[0]}: {reason_of(played.stderr)}", remedy, staff)
    return f"{command[0]}, volume {config.sound.volume} %"


def look_at_face_engine(face: config.Face) -> str:
    from hardware.face.engine import FaceEngine

    began = time.monotonic()
    with FaceEngine(network=face.model) as engine:
        while engine.alive and not engine.ready.wait(0.1):
            pass
        if engine.trouble:
            raise Wrong(
                engine.trouble,
                "Put the file of [face] model right; for the installed one, remove .venv and start ./run again.",
                "顔認証が使えません。暗証番号をご案内ください",
            )
        if not engine.ready.is_set():
            raise Wrong(
                "it does not start",
                "Remove .venv and start ./run again; meanwhile the face route is not offered.",
                "顔認証が使えません。暗証番号をご案内ください",
            )
        runs = engine.runs
    network = network_of(face.model)
    words = (
        f"{runs.network} compares ({'as configured' if face.model else 'the default'}; run by {runs.library}), "
        f"{runs.finder} finds faces; ready after {time.monotonic() - began:.1f} s"
    )
    if runs.why:
        refused = ", and refuses the right person far more often" if runs.network != network.name else ""
        raise warn(
            f"{words}; not the first choice{refused}: {runs.why}",
            "Remove .venv and start ./run again, which installs what is pinned.",
            "顔認証の性能が落ちています。保守に連絡してください",
        )
    if network is SFACE and not Path(face.model).suffix and face.threshold <= DLIB.ceiling:
        raise warn(
            f"{words}; [face] threshold {face.threshold} is one of dlib's network and refuses nearly everybody here",
            "Remove threshold and fast_accept from the settings: they then follow the network.",
            "顔認証の設定が古いままです。保守に連絡してください",
        )
    return words
