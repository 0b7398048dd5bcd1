"""Pictures of what a patient saw, drawn from snapshots by the real window: ``python -m reception.testing.pictures``.

A process of its own, so that nothing else of a run loads Qt. One snapshot in JSON per line in, one PNG in base64 per
line out.
"""

import base64
import io
import os
import sys

from PIL import Image

from reception.terminal.snapshot import Snapshot

_WIDTH = 360
_COLOURS = 48
"""Flat screens need no more; it makes a picture a third as large."""


def main() -> int:
    """Draw until the input ends."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtCore import QBuffer, QIODevice, Qt, qInstallMessageHandler
    from PySide6.QtWidgets import QApplication

    from reception.patient.window import PatientWindow
    from reception.testing.gallery import StillTerminal

    # Without a display Qt says on every window that it has no size hints to pass on.
    qInstallMessageHandler(lambda kind, context, text: None)
    application = QApplication([])
    window = PatientWindow(StillTerminal())
    window.show()
    for line in sys.stdin:
        window.render_snapshot(Snapshot.from_json(line))
        application.processEvents()
        picture = window.grab().toImage()
        small = picture.scaledToWidth(_WIDTH, Qt.TransformationMode.SmoothTransformation)
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        small.save(buffer, "PNG")  # type: ignore[call-overload]
        sys.stdout.write(f"{_compressed(bytes(buffer.data().data()))}\n")
    window.close()
    return 0


def _compressed(png: bytes) -> str:
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(_COLOURS).save(out, "PNG", compress_level=9)
    return base64.b64encode(out.getvalue()).decode("ascii")


if __name__ == "__main__":
    sys.exit(main())
