"""What stands above everything at the counter, whichever page is open: the state in words, and what staff must do."""

from collections.abc import Callable

from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from reception.counter import wording
from reception.counter.style import Text, Tone, set_tone
from reception.terminal.snapshot import Health, Snapshot
from reception.texts.failures import FAILURES
from reception.texts.wording import STEP_NUMBERS, STEPS, WITHOUT_STAFF


class Banner(QFrame):
    """Says who waits for what and since when, what went wrong with its remedy, and which part is down with its own.

    Nothing in it is personal, so it stays when the window is locked. ``beside`` stands at its right end. ``now`` of any
    steady clock, in seconds.
    """

    def __init__(self, beside: list[QWidget], now: Callable[[], float]) -> None:
        super().__init__()
        self._now, self._since = now, now()
        self._shown: tuple[str, str] = ("", "")
        self._wanted = False
        self.setProperty("tone", "plain")
        self._state = Text("heading", name="state")
        self._waited = Text("strong", name="waited", wraps=False)
        self._step = Text("body", name="step")
        self._done = Text("strong", name="done")
        self._call = Text("strong", name="call")
        self._failure = Text("strong", name="failure")
        self._remedy = Text("body", name="remedy")
        self._parts = Text("body", name="parts_down")
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self._state, 1)
        top.addWidget(self._waited)
        for widget in beside:
            top.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 12, 8)
        column.setSpacing(4)
        column.addLayout(top)
        for text in (self._call, self._step, self._done, self._failure, self._remedy, self._parts):
            column.addWidget(text)
        self.setAccessibleName("受付端末の状態")

    def render_snapshot(self, snapshot: Snapshot, sound: str = "none") -> None:
        """Show it; ``sound`` is how the voice is. Calls for attention when the patient begins to need staff."""
        alone = snapshot.screen == "CALL_STAFF" and snapshot.failure in WITHOUT_STAFF
        self._state.setText(wording.STATES["TAKE_CARD" if alone else snapshot.screen])
        if (snapshot.visit, snapshot.screen) != self._shown:
            self._shown, self._since = (snapshot.visit, snapshot.screen), self._now()
        self.look_at_the_clock()
        details = " ・ ".join(filter(None, _details(snapshot)))
        self._step.setText(details or "受付中の方はいません")
        which = "直前の" if snapshot.screen == "WAITING" else "この"
        self._done.show_text(f"✓ {which}受付は完了しました" if snapshot.completed else "")
        self._show_failure(snapshot)
        down = _parts_down(snapshot.health, sound)
        self._parts.show_text("\n".join(f"! {part}: {remedy}" for part, remedy in down))
        # A call stays until somebody has taken it on, whatever the patient does meanwhile.
        self._call.show_text("! 患者が係を呼んでいます" if snapshot.staff_called else "")
        needed = not alone and snapshot.screen in ("CALL_STAFF", "OUT_OF_SERVICE")
        wanted = needed or snapshot.staff_called
        set_tone(self, _tone(snapshot, wanted=wanted, down=bool(down)))
        if wanted and not self._wanted:
            QApplication.beep()
            QApplication.alert(self)
        self._wanted = wanted

    def look_at_the_clock(self) -> None:
        """Say how long it has been so."""
        minutes = int((self._now() - self._since) // 60)
        busy = self._shown[1] not in ("WAITING", "DESK_CLOSED", "COMPLETE")
        self._waited.show_text(f"{minutes} 分経過" if busy and minutes else "")

    def _show_failure(self, snapshot: Snapshot) -> None:
        if not snapshot.failure:
            self._failure.show_text("")
            self._remedy.show_text("")
            return
        failure = FAILURES[snapshot.failure]
        self._failure.show_text(f"! {failure.patient}")
        self._remedy.show_text(f"→ {failure.staff}  (患者の画面: {failure.next_step})")


def _details(snapshot: Snapshot) -> list[str]:
    number = STEP_NUMBERS.get(snapshot.step, 0)
    tries, text = snapshot.pin_tries_left, snapshot.staff_message
    asked = f"質問 {snapshot.question_number}/{snapshot.question_count}"
    return [
        f"手順 {number}/4 {STEPS[number - 1]}" if number else "",
        f"{asked} {wording.ITEMS[snapshot.question]}" if snapshot.question else "",
        f"本人確認: {wording.IDENTITY[snapshot.identity]}" if snapshot.identity else "",
        f"暗証番号 残り {tries} 回" if tries is not None and number else "",
        f"あと {snapshot.seconds_left} 秒で時間切れ" if snapshot.seconds_left is not None else "",
        "カードが入っています" if snapshot.card_in else "",
        f"カードの取り忘れを {snapshot.reminders} 回案内" if snapshot.reminders else "",
        "患者の画面に言葉を表示中" if text else "",
        f"言語: {wording.LANGUAGES.get(snapshot.language, snapshot.language)}"
        if snapshot.language != "ja"
        else "",
    ]


def _parts_down(health: Health, sound: str) -> list[tuple[str, str]]:
    """Return the parts that cannot be used, each with what staff can do."""
    remedies = wording.REMEDIES
    if health.camera_fault:
        remedies = {**remedies, "camera": wording.CAMERA_FAULTS.get(health.camera_fault, remedies["camera"])}
    states = {part: str(getattr(health, part, sound)) for part in wording.PARTS}
    return [(wording.PARTS[part], remedies[part]) for part in states if states[part] == "down"]


def _tone(snapshot: Snapshot, *, wanted: bool, down: bool) -> Tone:
    if wanted:
        return "error"
    if snapshot.failure or down or snapshot.screen in ("DESK_CLOSED", "LAST_TRY"):
        return "warning"
    return "success" if snapshot.completed else "plain"
