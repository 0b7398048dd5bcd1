"""Shows a picture from standard input for some seconds: ``./run doctor --camera``; a program of its own."""

import sys

from PySide6.QtCore import QTimer
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication, QLabel

SHOWN_MS = 6000


def main() -> int:
    """Show it; return 1 for what is no picture."""
    application = QApplication([])
    picture = QPixmap()
    if not picture.loadFromData(sys.stdin.buffer.read()):
        return 1
    label = QLabel()
    label.setWindowTitle("camera")
    label.setPixmap(picture)
    label.show()
    QTimer.singleShot(SHOWN_MS, application.quit)
    return application.exec()


if __name__ == "__main__":
    sys.exit(main())
