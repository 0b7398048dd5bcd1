"""Make docs/pictures/visit.gif: a visit by face, played on the simulated bench, as the patient saw it.

Run from the checkout: ``.venv/bin/python docs/pictures/make_visit.py``. The snapshots are those of the visit; the real
window draws them, and the camera preview shows the clip that the visit was played with.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtWidgets import QApplication

from config.person import load_person
from hardware.camera.clips import load_clip
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import Snapshot
from reception.testing import demo, scenarios
from reception.testing.gallery import StillTerminal, without_display
from reception.testing.testbench import clip_of

OUT = Path(__file__).with_name("visit.gif")
WIDTH = 300
COLOURS = 96
SHOWN_MS = {
    "WAITING": 1600,
    "READING": 900,
    "CHECKING": 900,
    "SENDING": 900,
    "TAKE_CARD": 2200,
    "COMPLETE": 1800,
}
FACE_FRAMES, FACE_FRAME_MS = 12, 140


def seen_in(visit: scenarios.Play, state: Path) -> list[Snapshot]:
    """Play the visit and return a snapshot of each screen and question, in order, from WAITING to COMPLETE."""
    seen: dict[int, Snapshot] = {}
    (result,) = scenarios.play_all([visit], state, watch=lambda each: seen.update({each.occasion: each}))
    if not result.passed:
        raise SystemExit(f"the visit did not pass: {result.why}")
    shown = list(seen.values())
    first = next(number for number, each in enumerate(shown) if each.state == "WAITING")
    last = next(number for number, each in enumerate(shown) if each.state == "COMPLETE")
    return shown[first : last + 1]


def drawn(window: PatientWindow) -> Image.Image:
    """Return what the window shows now."""
    QApplication.processEvents()
    small = window.grab().toImage().scaledToWidth(WIDTH, Qt.TransformationMode.SmoothTransformation)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    small.save(buffer, "PNG")
    with tempfile.TemporaryFile() as file:
        file.write(bytes(buffer.data().data()))
        return Image.open(file).convert("RGB")


def main() -> int:
    """Play, draw and write."""
    without_display()
    application = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        shown = seen_in(demo.plans()[0], state)
        clip = load_clip(clip_of(load_person("age45"), state / "clips"))
        window = PatientWindow(StillTerminal())
        window.show()
        pictures: list[tuple[Image.Image, int]] = []
        for each in shown:
            window.render_snapshot(replace(each, seconds_left=None))
            if each.state != "FACE_MATCH":
                pictures.append((drawn(window), SHOWN_MS.get(each.state, 1500)))
                continue
            for number in range(FACE_FRAMES):
                window.show_frame(clip.image(number * 2))
                pictures.append((drawn(window), FACE_FRAME_MS))
        window.close()
    application.quit()
    first, *others = [picture.quantize(COLOURS, dither=Image.Dither.NONE) for picture, _ in pictures]
    first.save(
        OUT, save_all=True, append_images=others, duration=[ms for _, ms in pictures], loop=0, optimize=True
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
