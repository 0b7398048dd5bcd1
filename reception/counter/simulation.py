"""Steers a simulated bench from the counter: the patient's hands, unplugged devices, a server in trouble."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from reception.counter import BenchLike, HasHands, ShowsClips
from reception.counter.style import Choice, Group, Text, button

_log = logging.getLogger("reception.counter")

CARDS: Mapping[str, str] = {"stall_card": "カードの応答を止める (5秒)", "lift_phone": "スマートフォンを取る"}
DEVICES: Mapping[str, str] = {
    "unplug_reader": "カードリーダーを外す",
    "plug_reader": "カードリーダーをつなぐ",
    "fault_reader": "カードリーダーを故障させる",
    "stop_reader_service": "リーダーのサービスを止める",
    "start_reader_service": "リーダーのサービスを動かす",
    "hold_reader": "ほかのプログラムに使わせる",
    "reset_card": "カードをリセットする",
    "rename_reader": "リーダーの名前を変える",
    "unplug_camera": "カメラを外す",
    "plug_camera": "カメラをつなぐ",
    "black_camera": "カメラを覆う",
    "freeze_camera": "カメラの映像を止める",
}
"""By hand of the bench; what is done with cards and phones of a chosen person stands apart."""

FAULTS: Mapping[str, str] = {
    "500": "内部エラー (500) を返す",
    "garbage": "意味のない答えを返す",
    "delay": "答えが来ない (30秒)",
    "drop": "処理したあと、答えが届かない",
    "drop_before": "処理する前に、接続が切れる",
    "wrong_type": "別のページを返す",
    "slow_body": "答えが少しずつしか来ない",
    "huge_body": "大きすぎる答えを返す",
    "clock_skew": "サーバーの時計が1時間進んでいる",
}
"""By kind of fault."""

STALL_S = 5.0


class Hands(QObject):
    """Does one thing after the other away from the windows: a card takes a moment to make."""

    trouble = Signal(str)
    """What could not be done, in the bench's words; empty: the last thing was done."""

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(1, "bench-hands")

    def button(self, name: str, label: str, action: Callable[[], None]) -> QPushButton:
        """Make a button that has something done."""
        made = button(name, label, "outline")
        made.clicked.connect(lambda: self._pool.submit(self._logged, action))
        return made

    def stop(self) -> None:
        """Wait for what is being done; what was only asked for is dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _logged(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            # The bench is a tool for trying things out: its trouble is told, and the terminal goes on.
            _log.warning("simulated bench: %s", error)
            self.trouble.emit(str(error))
        else:
            self.trouble.emit("")


class SimulationBar(QFrame):
    """Plays the patient's hands on a simulated bench: chooses a person, inserts and pulls the card."""

    def __init__(self, bench: BenchLike, hands: Hands) -> None:
        super().__init__()
        self.setProperty("tone", "warning")
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 6, 10, 6)
        row = QHBoxLayout()
        row.addWidget(Text("strong", "模擬", wraps=False))
        self.people = Choice("person", "患者")
        self.people.addItems(bench.people())
        row.addWidget(self.people, 1)
        row.addWidget(hands.button("insert_card", "カードを入れる", lambda: bench.insert(self.person())))
        row.addWidget(hands.button("pull_card", "カードを抜く", bench.remove))
        if isinstance(bench, ShowsClips):
            show = bench.show
            row.addWidget(hands.button("show_person", "この人をカメラに写す", lambda: show(self.person())))
        column.addLayout(row)
        self._note = Text("strong", name="bench_trouble")
        self._note.show_text("")
        hands.trouble.connect(self._told, Qt.ConnectionType.QueuedConnection)
        column.addWidget(self._note)

    def person(self) -> str:
        """Return who was chosen."""
        return self.people.currentText()

    def _told(self, trouble: str) -> None:
        self._note.show_text(f"! できませんでした: {trouble}" if trouble else "")


class SimulationPanel(QWidget):
    """What can go wrong with cards, devices and server, each a button."""

    def __init__(self, bench: HasHands, hands: Hands, person: Callable[[], str]) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.addWidget(self._cards(bench, hands, person))
        column.addWidget(self._devices(bench, hands))
        column.addWidget(self._server(bench, hands))
        column.addStretch(1)

    @staticmethod
    def _hands(bench: HasHands, hands: Hands, labels: Mapping[str, str]) -> list[QPushButton]:
        return [
            hands.button(hand, label, lambda hand=hand: bench.do(hand, STALL_S))  # type: ignore[misc]
            for hand, label in labels.items()
            if hand in bench.can
        ]

    def _cards(self, bench: HasHands, hands: Hands, person: Callable[[], str]) -> QWidget:
        phone = hands.button("tap_phone", "この人のスマートフォンを置く", lambda: bench.tap_phone(person()))
        return _grid("カードとスマートフォン", [phone, *self._hands(bench, hands, CARDS)])

    def _devices(self, bench: HasHands, hands: Hands) -> QWidget:
        engine = hands.button("kill_engine", "顔認証の処理を止める", bench.kill_engine)
        return _grid("機器", [*self._hands(bench, hands, DEVICES), engine])

    def _server(self, bench: HasHands, hands: Hands) -> QWidget:
        server = bench.server
        group = _grid(
            "資格確認サーバー",
            [
                hands.button("stop_server", "サーバーを止める", server.stop),
                hands.button("start_server", "サーバーを動かす", server.start),
            ],
        )
        self.faults = Choice("server_faults", "サーバーの障害")
        for kind, label in FAULTS.items():
            self.faults.addItem(label, kind)
        row = QHBoxLayout()
        row.addWidget(self.faults, 1)
        fault = self.faults.currentData
        row.addWidget(hands.button("fault_next", "次の1回だけ", lambda: server.faults.next(fault())))
        row.addWidget(hands.button("fault_always", "ずっと", lambda: server.faults.always(fault())))
        row.addWidget(hands.button("fault_none", "障害をなくす", server.faults.clear))
        group.column.addLayout(row)
        return group


def _grid(title: str, buttons: list[QPushButton]) -> Group:
    group = Group("plain", title)
    grid = QGridLayout()
    for at, made in enumerate(buttons):
        grid.addWidget(made, at // 3, at % 3)
    group.column.addLayout(grid)
    return group
