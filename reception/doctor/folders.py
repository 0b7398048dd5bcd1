"""Checks of what is kept: the state folder, the receipt computer's folder, the journal."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from config import Config
from consent.receipt_files.folder import ReceiptFolder, ReceiptFolderError
from reception.doctor.findings import Wrong, warn
from reception.terminal.assembly import journal_file
from reception.terminal.journal import JournalError, examine

LOW_BYTES = 500_000_000
"""Less free space than this is a warning."""
_PROBE = bytes(65_536)


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
        raise warn(words, "Make room on that disk.", "空き容量が少なくなっています")
    return words


def look_at_state_folder(state: Path) -> str:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        _probe(state)
    except OSError as error:
        raise Wrong(
            f"{state} cannot be written: {error.strerror or error}",
            "Give the terminal's user the folder, with free space.",
            "保存先に書き込めません。権限と空き容量を確認してください",
        ) from None
    words = _free(state)
    if stat.S_IMODE(state.stat().st_mode) & 0o077:
        raise warn(f"{state} can be read by others", f"chmod 700 {state}", "保存先の権限を直してください")
    return words


def look_at_receipt_folder(config: Config) -> str:
    if not config.receipt.folder:
        return "not used"
    root = Path(config.receipt.folder)
    folder = ReceiptFolder(root, config.site.institution_code, config.receipt.encoding)
    try:
        folder.check()
        for name in ("face", "res"):
            _probe(root / name)
    except ReceiptFolderError as error:
        raise Wrong(
            str(error),
            "Mount the share and give the terminal's user face, req and res in it.",
            error.for_counter,
        ) from None
    except OSError as error:
        raise Wrong(
            f"{root} cannot be written: {error.strerror or error}",
            "Check rights and free space of the share.",
            "レセコンとの共有フォルダの権限と空き容量を確認してください",
        ) from None
    return _free(root)


def look_at_journal(config: Config, state: Path) -> str:
    path = journal_file(config, state)
    try:
        counts = examine(path)
    except (JournalError, OSError) as error:
        raise Wrong(
            str(error),
            "Move the file away: a new one is begun, and the old one's open visits are to be looked up at the server.",
            "受付の記録が開けません。保守に連絡してください",
        ) from None
    if counts is None:
        return "none yet; it is made when the terminal first starts"
    visits, unsettled = counts
    if unsettled:
        raise warn(
            f"visits: {visits}, with an unknown end: {unsettled}",
            "The running terminal asks the server about them; see the counter's notices.",
            "結果の不明な受付があります。窓口の画面を確認してください",
        )
    return f"opens, visits: {visits}"
