"""The page of the visit that is on: whom it is about, the visual check, and what staff can do from afar."""

from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from reception.counter import CounterTerminal
from reception.counter.assist import HelpPanel
from reception.counter.match_code import MatchCodeRow
from reception.counter.panels import PatientCard
from reception.counter.visual import VisualPanel, VisualStart
from reception.terminal.snapshot import Snapshot


class LivePanel(QWidget):
    """Left the patient, or the photo while staff compare; right the ways to help."""

    def __init__(self, terminal: CounterTerminal, patient: PatientCard) -> None:
        super().__init__()
        self.patient = patient
        self.visual = VisualPanel(terminal)
        self.visual_start = VisualStart(terminal)
        self._match_code = MatchCodeRow(terminal.submit)
        self._help = HelpPanel(terminal)
        left, right = QVBoxLayout(), QVBoxLayout()
        columns: dict[QVBoxLayout, tuple[QWidget, ...]] = {
            left: (self._match_code, self.patient, self.visual),
            right: (self.visual_start, self._help),
        }
        for column, parts in columns.items():
            for part in parts:
                column.addWidget(part)
            column.setSpacing(8)
            column.addStretch(1)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 8, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.addLayout(left, 0, 0)
        grid.addLayout(right, 0, 1)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)

    def render_snapshot(self, snapshot: Snapshot) -> None:
        """Show what the visit needs now."""
        self._match_code.show_snapshot(snapshot)
        self.visual_start.render_snapshot(snapshot)
        self._help.render_snapshot(snapshot)
        comparing = snapshot.state == "VISUAL_CHECK"
        self.visual.setVisible(comparing)
        self.patient.setVisible(not comparing)
