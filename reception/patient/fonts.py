"""Which Japanese fonts Qt finds; a program, because the answer needs an application of its own.

Without one every Japanese character is drawn as an empty box, and Qt reports no error.
"""

import json
import sys

from PySide6.QtGui import QFontDatabase, QGuiApplication

from reception.patient import tokens


def main() -> None:
    """Print the families as a JSON list, those that the windows ask for first."""
    application = QGuiApplication(["fonts"])
    families = QFontDatabase.families(QFontDatabase.WritingSystem.Japanese)
    asked_for = [family for family in tokens.FONTS if family in families]
    sys.stdout.write(json.dumps([asked_for, families]))
    del application


if __name__ == "__main__":
    main()
