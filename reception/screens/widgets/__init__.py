"""The pieces that screens are made of; they hold no words of their own."""

from reception.screens.widgets.buttons import BigButton, ButtonKind, KeyButton, TouchButton
from reception.screens.widgets.camera import CameraPreview
from reception.screens.widgets.painted import Painted
from reception.screens.widgets.pictograms import Pictogram
from reception.screens.widgets.pictures import CardPicture, Emblem, PhonePicture, Picture, Working
from reception.screens.widgets.pin import PinDots, PinEdits, PinKeys
from reception.screens.widgets.steps import StepBar
from reception.screens.widgets.text import Message, Words

__all__ = [
    "BigButton",
    "ButtonKind",
    "CameraPreview",
    "CardPicture",
    "Emblem",
    "KeyButton",
    "Message",
    "Painted",
    "PhonePicture",
    "Pictogram",
    "Picture",
    "PinDots",
    "PinEdits",
    "PinKeys",
    "StepBar",
    "TouchButton",
    "Words",
    "Working",
]
