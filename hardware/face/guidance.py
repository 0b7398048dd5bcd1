"""What is asked of a person who is looked at; light to import, for windows and voice speak of it, too."""

from enum import StrEnum


class Guidance(StrEnum):
    """What the person can do so that the next frame is better."""

    NO_FACE = "NO_FACE"
    ONE_PERSON = "ONE_PERSON"
    MORE_LIGHT = "MORE_LIGHT"
    LESS_LIGHT = "LESS_LIGHT"
    WHOLE_FACE = "WHOLE_FACE"
    """The edge of the frame cuts the face."""
    CLOSER = "CLOSER"
    FURTHER = "FURTHER"
    LOOK_STRAIGHT = "LOOK_STRAIGHT"
    HOLD_STILL = "HOLD_STILL"
    UNCOVER_MOUTH = "UNCOVER_MOUTH"
    UNCOVER_EYES = "UNCOVER_EYES"
    MOVE_A_LITTLE = "MOVE_A_LITTLE"
    """Turn a little to both sides, for the photo check."""
    TURN_LEFT = "TURN_LEFT"
    """This and the next one are moves of the challenge."""
    TURN_RIGHT = "TURN_RIGHT"
