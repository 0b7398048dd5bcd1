"""The pieces that screens are made of; they hold no words of their own."""

from reception.patient.widgets.buttons import BigButton, ButtonKind, KeyButton, TouchButton
from reception.patient.widgets.camera import CameraPreview
from reception.patient.widgets.painted import Painted
from reception.patient.widgets.pictograms import Pictogram
from reception.patient.widgets.pictures import CardPicture, Emblem, PhonePicture, Picture, Working
from reception.patient.widgets.pin import PinDots, PinKeys
from reception.patient.widgets.steps import StepBar
from reception.patient.widgets.text import Beside, Fact, Message, Words

__all__ = [
    "Beside",
    "BigButton",
    "ButtonKind",
    "CameraPreview",
    "CardPicture",
    "Emblem",
    "Fact",
    "KeyButton",
    "Message",
    "Painted",
    "PhonePicture",
    "Pictogram",
    "Picture",
    "PinDots",
    "PinKeys",
    "StepBar",
    "TouchButton",
    "Words",
    "Working",
]
