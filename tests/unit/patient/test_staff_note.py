from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QPoint, QRect
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from reception.patient.staff_note import StaffNote
from reception.patient.window import PatientWindow
from reception.terminal.snapshot import Snapshot
from reception.testing.gallery import SAMPLES, StillTerminal
from reception.texts.wording import STAFF_TEXTS

CHOOSING = replace(SAMPLES["04-method-choice"], visual_possible=True)


class LiveTerminal(StillTerminal):
    def __init__(self) -> None:
        super().__init__()
        self.snapshots: list[Callable[[Snapshot], None]] = []

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        self.snapshots.append(callback)
        return lambda: self.snapshots.remove(callback)


def publish(tell: Callable[[], None]) -> None:
    tell()
    QTest.qWait(0)


def test_what_staff_have_shown_lies_over_the_patients_window_until_it_is_taken_away(
    qtbot: QtBot,
) -> None:
    terminal = LiveTerminal()
    patient = PatientWindow(terminal)
    qtbot.addWidget(patient)
    note = StaffNote(patient, terminal)
    patient.show()
    for text, told in STAFF_TEXTS.items():
        publish(lambda text=text: terminal.snapshots[-1](replace(CHOOSING, staff_message=text.value)))  # type: ignore[misc]
        assert note.title.accessibleName().endswith(told)
        assert patient.rect().contains(note.geometry())
        for button in patient.findChildren(QPushButton):
            place = QRect(button.mapTo(patient, QPoint(0, 0)), button.size())
            assert not button.isVisible() or not note.geometry().intersects(place), button.objectName()
        assert note.title.height() >= note.title.heightForWidth(note.title.width())
    publish(lambda: terminal.snapshots[-1](CHOOSING))
    assert note.isHidden()
    patient.close()
    assert terminal.snapshots == []
