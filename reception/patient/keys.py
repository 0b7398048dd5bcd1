"""The window by ear and by keys: what happens is said, and every screen answers to a ten-key."""

import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent

from reception import flow
from reception.patient.bridge import Bridge
from reception.patient.window import PatientWindow
from reception.speech import menu
from reception.speech.voice import Voice
from reception.terminal.snapshot import Snapshot
from reception.texts import catalogue

TOO_SOON_S = 0.4
"""A digit this soon after the screen has changed was meant for the screen before; not where a PIN is being typed."""


class SpokenKeys(QObject):
    """Gives a patient's window a voice and a ten-key; ends with ``close``.

    Digits choose the n-th choice, or are typed where a PIN is; 0 and * repeat, and * also gives more time when it runs
    out; - goes back, + calls staff, / switches the voice off and on, . deletes a PIN digit, and 9 asks for
    the other language that is spoken.
    Enter stays what it is: the button with the focus, or the PIN typed.
    """

    def __init__(
        self,
        window: PatientWindow,
        subscribe: Callable[[Callable[[Snapshot], None]], Callable[[], None]],
        submit: Callable[[flow.Event], None],
        voice: Voice,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(window)
        self._submit, self._voice, self._clock = submit, voice, clock
        self._heard = Snapshot()
        self._changed_at = clock()
        self._bridge = Bridge(self)
        self._bridge.snapshot.connect(self.follow)
        self._unsubscribe: Callable[[], None] | None = subscribe(self._bridge.take_snapshot)
        window.installEventFilter(self)
        self._window = window
        window.sound_pressed.connect(self._turn)

    def follow(self, snapshot: Snapshot) -> None:
        """Say what is new, and let the keys mean what is asked now; call in the thread of the windows."""
        before, self._heard = self._heard, snapshot
        if (before.screen, before.occasion) != (snapshot.screen, snapshot.occasion):
            self._changed_at = self._clock()
        self._voice.follow(snapshot)
        self._show_sound()

    def close(self) -> None:
        """Follow no more and be silent."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            self._bridge.close()
            self._voice.close()

    def eventFilter(self, _window: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take a key for which nothing on the window had a use."""
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent) or event.isAutoRepeat():
            return False
        return self._press(event.text())

    def _press(self, text: str) -> bool:
        """Do what a key means; False leaves it to the window."""
        pin = self._heard.screen == "PIN_ENTRY"
        match text:
            case "*" if self._heard.seconds_left is not None:
                self._submit(flow.MoreTime())
                self._voice.repeat()
            case "*":
                self._voice.repeat()
            case "/":
                self._voice.mute()
                self._show_sound()
            case "-":
                self._do(menu.back(self._heard))
            case "+":
                self._do(menu.staff(self._heard))
            case "." if pin:
                self._do(flow.PinBackspace())
            case "0" | "." if not pin:
                self._voice.repeat()
            case digit if digit and digit in "0123456789":
                return self._digit(int(digit), pin)
            case _:
                return False
        return True

    def _turn(self) -> None:
        self._voice.turn()
        self._show_sound()

    def _show_sound(self) -> None:
        self._window.show_sound(catalogue(self._heard.language)(self._voice.label))

    def _digit(self, digit: int, pin: bool) -> bool:
        typing = self._heard.pin_digits > 0
        if not typing and self._clock() - self._changed_at < TOO_SOON_S:
            return True
        if pin:
            return False
        if digit == menu.OTHER_LANGUAGE and (wanted := menu.other_language(self._heard)):
            self._do(wanted)
            return True
        offered = menu.choices(self._heard)
        if digit <= len(offered):
            self._do(offered[digit - 1].event)
        return True

    def _do(self, event: flow.Event | None) -> None:
        if event is None:
            self._voice.repeat()
        else:
            self._submit(event)
