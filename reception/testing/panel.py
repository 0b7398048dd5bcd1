"""模擬: the small window of a simulated bench. Whoever tries the terminal out is the patient's hands here."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from functools import partial
from typing import cast

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from config.person import Person
from consent.choices import HEALTH_CHECKUP_AGE, age_on
from hardware.card import ReaderError
from reception.patient import tokens
from reception.testing.testbench import Bench
from reception.testing.testbench.operators import Hand

_LOOK_MS = 500
"""How often the card's PIN tries are looked at."""

CARDS = {
    "face-only": "顔認証のみのカード",
    "no-photo": "写真のないカード",
    "phone-android": "Androidのスマートフォン",
    "phone-ios": "iPhone",
    "juki": "住民基本台帳カード",
    "transit": "交通系のカード",
    "payment": "支払い用のカード",
    "mute": "裏向きに入れたカード",
}
"""What somebody holds who has no ordinary card."""
CERTIFICATES = {"revoked": "証明書が失効", "on-hold": "証明書が一時停止", "unknown": "証明書が不明"}
INSURANCE = {
    "invalid": "資格なし",
    "superseded": "新しい資格あり",
    "not-found": "資格が見つからない",
    "ambiguous": "資格が複数",
    "unregistered": "未登録",
}
SWITCHES: dict[str, tuple[str, Hand, Hand]] = {
    "reader": ("カードリーダーがつながっている", "plug_reader", "unplug_reader"),
    "service": ("カードリーダーのサービスが動いている", "start_reader_service", "stop_reader_service"),
    "camera": ("カメラがつながっている", "plug_camera", "unplug_camera"),
}
"""What is on until somebody switches it off: label, the hand that does it, and the one that undoes it."""


def described(person: Person, today: date, tries: int | None = None) -> str:
    """Return a person in words, with what their card will do; ``tries``: PIN tries as they stand on the card now."""
    card = person.card
    told = []
    if card.kind in CARDS:
        told.append(CARDS[card.kind])
    if not card.is_foreign:
        if card.kind not in ("face-only", "phone-ios"):
            left = card.pin_tries_left if tries is None else tries
            state = {0: "(ロック)", 1: "(残り1回)", 2: "(残り2回)"}.get(left, "")
            told.append(f"暗証番号 {card.pin}{state}")
        if min(card.expires, person.certificate.expires) < today:
            told.append("期限切れ")
        told.append(CERTIFICATES.get(person.certificate.status, ""))
        told.append("" if person.insurance.registered else "はじめての利用")
        told.append(INSURANCE.get(person.insurance.validity, ""))
        old_enough = age_on(person.birth_date, today) >= HEALTH_CHECKUP_AGE
        told.append("健診あり" if old_enough else "健診なし")
    name = person.name.replace("\u3000", " ")
    return f"{name} {age_on(person.birth_date, today)}歳・{'・'.join(filter(None, told))}"


class BenchPanel(QWidget):
    """Who comes, card and phone in or out, and what can be disturbed. Closing it hides it; ``open`` shows it again."""

    _done = Signal(str)

    def __init__(self, bench: Bench, people: list[Person], today: Callable[[], date]) -> None:
        super().__init__()
        self._bench, self._people, self._today = bench, people, today
        self._tries: dict[str, int | None] = {}
        self._busy = 0
        self._pool = ThreadPoolExecutor(1, "bench-panel")
        self.setObjectName("bench_panel")
        self.setWindowTitle("模擬")
        self.setStyleSheet(
            f"QWidget {{ font-size: 15px; font-family: {', '.join(map(repr, tokens.FONTS))}; }}"
        )
        self.people = QComboBox()
        self.people.setObjectName("panel_people")
        self.people.setAccessibleName("来る人")
        self.card, self.phone = QCheckBox("カードが入っている"), QCheckBox("スマートフォンが置いてある")
        self.card.setObjectName("panel_card")
        self.phone.setObjectName("panel_phone")
        # Toggled, not clicked: a screen reader's press is no click.
        self.card.toggled.connect(
            lambda on: self._have(self._bench.insert if on else None, self._bench.remove)
        )
        self.phone.toggled.connect(
            lambda on: self._have(self._bench.tap_phone if on else None, self._bench.lift_phone)
        )
        face = self._button("この人をカメラの前に", lambda: bench.show(self.person().id))
        column = QVBoxLayout(self)
        who = QGroupBox("来る人")
        rows = QVBoxLayout(who)
        for part in (self.people, self.card, self.phone, face):
            rows.addWidget(part)
        column.addWidget(who)
        column.addWidget(self._disturbances())
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        column.addWidget(self.trouble)
        column.addStretch(1)
        self._done.connect(self._told, Qt.ConnectionType.QueuedConnection)
        self._describe()
        self._clock = QTimer(self)
        self._clock.setInterval(_LOOK_MS)
        self._clock.timeout.connect(self._look)
        self._clock.start()

    def person(self) -> Person:
        """Return who was chosen."""
        return self._people[max(0, self.people.currentIndex())]

    def open(self) -> None:
        """Show it, or bring it to the front."""
        self.show()
        self.raise_()
        self.activateWindow()

    def stop(self) -> None:
        """Wait for what is being done, and look at nothing any more."""
        self._clock.stop()
        self._pool.shutdown(cancel_futures=True)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Only hide it: the bench goes on."""
        event.ignore()
        self.hide()

    def _disturbances(self) -> QWidget:
        group = QGroupBox("乱す")
        rows = QFormLayout(group)
        for name, (label, on, off) in SWITCHES.items():
            if {on, off} <= self._bench.can:
                do = self._bench.do
                rows.addRow(self._switch(name, label, on=partial(do, on), off=partial(do, off)))
        rows.addRow(
            self._switch(
                "server", "資格確認サーバーが動いている", self._bench.server.start, self._bench.server.stop
            )
        )
        rows.addRow(self._button("カードの応答を5秒止める", lambda: self._bench.do("stall_card", 5.0)))
        rows.addRow(self._button("カメラを覆う", lambda: self._bench.do("black_camera")))
        rows.addRow(self._button("顔認証の処理を止める", self._bench.kill_engine))
        return group

    def _switch(self, name: str, label: str, on: Callable[[], None], off: Callable[[], None]) -> QCheckBox:
        made = QCheckBox(label)
        made.setObjectName(f"panel_{name}")
        made.setChecked(True)
        made.toggled.connect(lambda checked: self._act(on if checked else off))
        return made

    def _button(self, label: str, action: Callable[[], None]) -> QPushButton:
        made = QPushButton(label)
        made.clicked.connect(lambda: self._act(action))
        return made

    def _have(self, put: Callable[[str], None] | None, take: Callable[[], None]) -> None:
        """Put the chosen person's card or phone there, or take away what is there."""
        name = self.person().id
        self._act(take if put is None else lambda: put(name))

    def _act(self, action: Callable[[], None]) -> None:
        self._busy += 1
        self._pool.submit(self._try, action)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # A tool for trying things out tells its trouble and goes on.
            self._done.emit(str(error))
        else:
            self._done.emit("")

    def _told(self, trouble: str) -> None:
        self._busy -= 1
        self.trouble.setText(f"できませんでした: {trouble}" if trouble else "")

    def _look(self) -> None:
        """See what stands on the card that was used last, and what is in; not while hands are at it."""
        if self._busy:
            return
        with suppress(ReaderError):  # It is unplugged, and nothing can be seen of it.
            card, phone = self._bench.laid()
            for box, laid in ((self.card, card), (self.phone, phone)):
                with QSignalBlocker(box):
                    box.setChecked(laid)
        tries = self._bench.pin_tries_left()
        if self._tries.get(self._bench.person.id) != tries:
            self._tries[self._bench.person.id] = tries
            self._describe()

    def _describe(self) -> None:
        chosen = self.people.currentIndex()
        self.people.clear()
        today = self._today()
        self.people.addItems([described(one, today, self._tries.get(one.id)) for one in self._people])
        self.people.setCurrentIndex(max(0, chosen))


def panel_of(bench: object) -> BenchPanel:
    """Return the panel of a simulated bench."""
    shown = cast(Bench, bench)
    return BenchPanel(shown, shown.everybody(), lambda: shown.now().date())
