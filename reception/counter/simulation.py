"""Steers a simulated bench from the counter: the patient's hands, unplugged devices, a server in trouble."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

from PySide6.QtWidgets import QComboBox, QFrame, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from consent.server import FaultKind
from reception.counter import BenchLike, HasHands, ShowsClips
from reception.screens.widgets import Text

_log = logging.getLogger("reception.counter")

HANDS: Mapping[str, str] = {
    "stall_card": "カードの応答を止める (5秒)",
    "lift_phone": "スマートフォンを取る",
    "unplug_reader": "カードリーダーを外す",
    "plug_reader": "カードリーダーをつなぐ",
    "fault_reader": "カードリーダーを故障させる",
    "stop_reader_service": "リーダーのサービスを止める",
    "start_reader_service": "リーダーのサービスを動かす",
    "unplug_camera": "カメラを外す",
    "plug_camera": "カメラをつなぐ",
    "black_camera": "カメラを覆う",
    "freeze_camera": "カメラの映像を止める",
}
"""By hand of the bench; what is done with cards and phones of a chosen person stands apart."""

STALL_S = 5.0


class Hands:
    """Does one thing after the other away from the windows: a card takes a moment to make."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "bench-hands")

    def button(self, name: str, label: str, action: Callable[[], None]) -> QPushButton:
        """Make a button that has something done."""
        button = QPushButton(label)
        button.setObjectName(name)
        button.setAccessibleName(label)
        button.setProperty("kind", "outline")
        button.clicked.connect(lambda: self._pool.submit(_logged, action))
        return button

    def stop(self) -> None:
        """Wait for what is being done; what was only asked for is dropped."""
        self._pool.shutdown(cancel_futures=True)


def _logged(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception as error:
        # The bench is a tool for trying things out: its trouble is told, and the terminal goes on.
        _log.warning("simulated bench: %s", error)


class SimulationBar(QFrame):
    """Plays the patient's hands on a simulated bench: chooses a person, inserts and pulls the card."""

    def __init__(self, bench: BenchLike, hands: Hands) -> None:
        super().__init__()
        self.setProperty("tone", "warning")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(12)
        row.addWidget(Text("strong", "模擬", centred=False))
        self.people = QComboBox()
        self.people.setObjectName("person")
        self.people.setAccessibleName("患者")
        self.people.addItems(bench.people())
        row.addWidget(self.people, 1)
        row.addWidget(hands.button("insert_card", "カードを入れる", lambda: bench.insert(self.person())))
        row.addWidget(hands.button("pull_card", "カードを抜く", bench.remove))
        if isinstance(bench, ShowsClips):
            show = bench.show
            row.addWidget(hands.button("show_person", "この人をカメラに写す", lambda: show(self.person())))

    def person(self) -> str:
        """Return who was chosen."""
        return self.people.currentText()


class SimulationPanel(QWidget):
    """What can go wrong with devices and server, each a button."""

    def __init__(self, bench: HasHands, hands: Hands, person: Callable[[], str]) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(12)
        column.addWidget(Text("strong", "機器", centred=False))
        devices = QGridLayout()
        buttons = [
            hands.button("tap_phone", "この人のスマートフォンを置く", lambda: bench.tap_phone(person()))
        ]
        for hand, label in HANDS.items():
            if hand in bench.can:
                buttons.append(hands.button(hand, label, lambda hand=hand: bench.do(hand, STALL_S)))  # type: ignore[misc]
        for at, button in enumerate(buttons):
            devices.addWidget(button, at // 2, at % 2)
        column.addLayout(devices)
        column.addWidget(Text("strong", "資格確認サーバー", centred=False))
        server = bench.server
        row = QHBoxLayout()
        row.addWidget(hands.button("stop_server", "止める", server.stop))
        row.addWidget(hands.button("start_server", "動かす", server.start))
        column.addLayout(row)
        self.faults = QComboBox()
        self.faults.setObjectName("server_faults")
        self.faults.setAccessibleName("サーバーの障害")
        self.faults.addItems(get_args(FaultKind))
        row = QHBoxLayout()
        row.addWidget(self.faults, 1)
        fault = self.faults.currentText
        row.addWidget(hands.button("fault_next", "次の1回", lambda: server.faults.next(fault())))
        row.addWidget(hands.button("fault_always", "ずっと", lambda: server.faults.always(fault())))
        row.addWidget(hands.button("fault_none", "障害なし", server.faults.clear))
        column.addLayout(row)
        column.addStretch(1)
