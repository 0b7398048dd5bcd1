"""こまったとき: each topic has a picture of its own, and a code beside it is still read."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from reception.flow import DisplayMode, HelpTopic
from reception.patient.pages.still import _TOPICS
from reception.patient.widgets.qr import QrCode
from reception.patient.window import PatientWindow
from reception.testing.gallery import DISPLAYS, SAMPLES, StillTerminal
from reception.texts import wording


def test_no_two_topics_share_a_picture() -> None:
    assert set(_TOPICS) == set(HelpTopic)
    assert len(set(_TOPICS.values())) == len(_TOPICS)


@pytest.mark.parametrize("mode", DisplayMode)
@pytest.mark.parametrize("topic", wording.HELP_LINKS)
def test_a_topic_with_a_code_shows_its_picture_too(
    qapp: QApplication, topic: HelpTopic, mode: DisplayMode
) -> None:
    window = PatientWindow(StillTerminal(), DISPLAYS["portrait"])
    window.show()
    window.render_snapshot(replace(SAMPLES[f"28-help-{topic}"], display_mode=mode))
    QTest.qWait(0)
    (code,) = [each for each in window.findChildren(QrCode) if each.isVisible()]
    place = QRect(code.mapTo(window, QPoint()), code.size())
    shown = window.grab(place).toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    grey = np.frombuffer(shown.constBits(), np.uint8).reshape(shown.height(), shown.bytesPerLine())
    window.close()
    said, *_ = cv2.QRCodeDetector().detectAndDecode(np.pad(grey, 16))
    assert said == wording.HELP_LINKS[topic]
    box = code._places()[2].toRect()
    assert box.width() >= 40
    assert np.ptp(grey[box.top() : box.bottom(), box.left() : box.right()]) > 50
