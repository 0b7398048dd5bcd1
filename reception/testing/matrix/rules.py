"""What must come of every disturbance in every state: rules of their own, each with its reason; none is the flow's."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal

from reception.flow.states import State

S = State
Kind = Literal["simulated", "pcsc"]


class Disturbance(StrEnum):
    """What happens while a visit is held in a state."""

    CARD_PULLED = "card_pulled"
    CARD_SWAPPED = "card_swapped"
    CARD_STALLED = "card_stalled"
    EXCHANGE_LOST = "exchange_lost"
    CARD_RESET = "card_reset"
    POWER_UP_FAILS = "power_up_fails"
    READER_HELD = "reader_held"
    READER_UNPLUGGED = "reader_unplugged"
    SERVICE_KILLED = "service_killed"
    CAMERA_UNPLUGGED = "camera_unplugged"
    CAMERA_BLACK = "camera_black"
    CAMERA_FROZEN = "camera_frozen"
    ENGINE_KILLED = "engine_killed"
    SERVER_DOWN = "server_down"
    SERVER_SLOW = "server_slow"
    SERVER_GARBLED = "server_garbled"
    ANSWER_LOST = "answer_lost"
    FOLDER_FULL = "folder_full"
    CLOCK_JUMP = "clock_jump"
    CANCEL = "cancel"
    TIME_OUT = "time_out"
    DOUBLE_TAP = "double_tap"
    CALL_STAFF = "call_staff"
    TERMINAL_KILLED = "terminal_killed"


D = Disturbance

DEVICES = (
    D.CARD_PULLED,
    D.CARD_SWAPPED,
    D.CARD_STALLED,
    D.EXCHANGE_LOST,
    D.POWER_UP_FAILS,
    D.READER_UNPLUGGED,
    D.SERVICE_KILLED,
)
"""Of card, reader and service: those that another bench than the simulated one can show in a new light."""


class Outcome(Enum):
    """What comes of a cell: a letter for the table, and what it means. The next patient must succeed after each."""

    GOES_ON = ("·", "changes nothing: the visit completes; a terminal at rest stays ready")
    ENDS = ("E", "back to the start, nothing sent")
    STAFF = ("S", "words that stay until the card is taken, nothing sent")
    CHOICE = ("C", "back to the choice with the reason; another way completes")
    DECLINED = ("D", "this question counts as a no, the visit completes")
    OUT = ("O", "out of service, nothing sent; comes back by itself once repaired")
    OUT_AFTER = ("o", "the visit completes, then out of service until repaired")
    NEXT = ("N", "nothing sent; the visit of the card that is in now begins")
    NEXT_AFTER = ("n", "the visit completes, then that of the card that is in now begins")
    RECORDED_UNSEEN = ("R", "recorded, not shown as complete; the counter is told")
    NOT_RECORDED = ("U", "not recorded, not shown as complete; the counter is told")
    NONE = ("–", "does not apply")

    def __init__(self, letter: str, words: str) -> None:
        self.letter, self.words = letter, words


O = Outcome  # noqa: E741


@dataclass(frozen=True)
class Rule:
    """What must come of some disturbances in some states."""

    outcome: Outcome
    disturbances: tuple[Disturbance, ...]
    states: tuple[State, ...]
    reason: str
    failure: str = ""
    """FailureCode that is told; ``{state}`` stands for the state's name, ``|`` parts what may come first."""
    kind: Kind | None = None
    """The only bench for which it holds."""


AT_REST = (S.WAITING, S.OUT_OF_SERVICE)
BEFORE_LIMIT = (
    S.READING,
    S.METHOD_CHOICE,
    S.FACE_MATCH,
    S.PIN_ENTRY,
    S.VISUAL_CHECK,
    S.CHECKING,
    S.CARD_USE_OFFER,
    S.CONSENT,
)
"""With a card in, and before the question that stands on the completion page."""
TO_IDENTIFY = (S.READING, S.METHOD_CHOICE, S.FACE_MATCH, S.PIN_ENTRY, S.VISUAL_CHECK, S.CHECKING)
"""The card is still asked for something."""
TO_ASK_SERVER = (*TO_IDENTIFY, S.PHONE_TAP, S.CARD_USE_OFFER)
"""The server is still asked who it is."""
OFFERING = (S.ATTRIBUTE_OFFER, S.ATTRIBUTE_SIGN)
"""The visit is complete, and something more is offered."""
ANSWERED = (S.CARD_USE_OFFER, S.CONSENT, S.LIMIT_CONSENT, S.SENDING, S.ATTRIBUTE_OFFER, S.TAKE_CARD)
"""The card is in, and not asked for anything any more."""
TO_SEND = (S.CONSENT, S.LIMIT_CONSENT, S.SENDING)
SENT = (S.SENDING, *OFFERING, S.TAKE_CARD, S.COMPLETE)
OVER = (*OFFERING, S.TAKE_CARD, S.COMPLETE, S.CALL_STAFF)
NO_CARD = (*AT_REST, S.PHONE_TAP, S.COMPLETE)
EVERY = tuple(State)


def but(*states: State) -> tuple[State, ...]:
    """Return every state but these."""
    return tuple(state for state in EVERY if state not in states)


CAMERAS = (D.CAMERA_UNPLUGGED, D.CAMERA_BLACK, D.CAMERA_FROZEN)
PULLS = (D.CARD_PULLED, D.CARD_SWAPPED)
READERS = (D.READER_UNPLUGGED, D.SERVICE_KILLED)
SERVERS = (D.SERVER_DOWN, D.SERVER_SLOW, D.SERVER_GARBLED, D.ANSWER_LOST)
IDENTITY_FAILS = {
    D.SERVER_DOWN: "SERVER_UNREACHABLE",
    D.SERVER_SLOW: "SERVER_TIMED_OUT",
    D.SERVER_GARBLED: "SERVER_BAD_ANSWER",
    D.ANSWER_LOST: "SERVER_UNREACHABLE",
}
READER_FAILS = {D.READER_UNPLUGGED: "READER_LOST", D.SERVICE_KILLED: "READER_SERVICE_DOWN"}

RULES: tuple[Rule, ...] = (
    # --- The card ---
    Rule(O.NONE, (*PULLS, D.CARD_STALLED), NO_CARD, "no card is in"),
    Rule(
        O.ENDS,
        (D.CARD_PULLED,),
        BEFORE_LIMIT,
        "who takes the card before the limit question takes all back",
        "{state}_CARD_REMOVED",
    ),
    Rule(
        O.DECLINED,
        (D.CARD_PULLED,),
        (S.LIMIT_CONSENT,),
        "the leaflet asks this of those who leave the card in",
    ),
    Rule(O.GOES_ON, (D.CARD_PULLED,), (S.SENDING, S.TAKE_CARD), "from sending on nothing is cancelled"),
    Rule(
        O.GOES_ON,
        (D.CARD_PULLED,),
        OFFERING,
        "the visit is complete; who takes the card does not want what is offered",
    ),
    Rule(O.GOES_ON, (D.CARD_PULLED,), (S.CALL_STAFF,), "taking the card is what is asked for"),
    Rule(
        O.NEXT,
        (D.CARD_SWAPPED,),
        BEFORE_LIMIT,
        "another card is another patient; nothing of the first may pass to them",
        "{state}_CARD_REMOVED",
    ),
    Rule(
        O.NEXT, (D.CARD_SWAPPED,), (S.CALL_STAFF,), "the next patient need not wait for staff", "STAFF_CALLED"
    ),
    Rule(
        O.NEXT_AFTER,
        (D.CARD_SWAPPED,),
        (S.LIMIT_CONSENT, S.SENDING, *OFFERING, S.TAKE_CARD),
        "what was agreed to is the first patient's and is finished first",
    ),
    Rule(
        O.OUT,
        (D.CARD_STALLED,),
        TO_IDENTIFY,
        "a command that is not answered cannot be called back: the reader is given up until it is",
        "CARD_STALLED",
    ),
    Rule(
        O.OUT_AFTER,
        (D.CARD_STALLED,),
        (S.ATTRIBUTE_SIGN,),
        "the visit is complete; the card that should sign does not answer, and the reader is given up until it does",
    ),
    Rule(O.GOES_ON, (D.CARD_STALLED,), (*ANSWERED, S.CALL_STAFF), "the card is not asked any more"),
    Rule(
        O.GOES_ON,
        (D.EXCHANGE_LOST,),
        EVERY,
        "a command is given once more while the card is in; a PIN never is",
    ),
    Rule(
        O.GOES_ON,
        (D.CARD_RESET,),
        EVERY,
        "what was selected is selected anew, and the same card goes on",
    ),
    Rule(O.GOES_ON, (D.POWER_UP_FAILS,), EVERY, "the next card is powered up again"),
    Rule(O.GOES_ON, (D.READER_HELD,), EVERY, "another program's turn is waited for"),
    # --- The reader ---
    *(
        Rule(
            O.OUT,
            (how,),
            (S.WAITING, *BEFORE_LIMIT, S.LIMIT_CONSENT, S.CALL_STAFF),
            "without a reader nobody is there",
            code,
        )
        for how, code in READER_FAILS.items()
    ),
    Rule(O.OUT_AFTER, READERS, SENT, "from sending on no reader is needed"),
    Rule(
        O.OUT_AFTER,
        READERS,
        (S.PHONE_TAP,),
        "a phone needs no card reader",
        kind="simulated",
    ),
    Rule(
        O.OUT,
        READERS,
        (S.PHONE_TAP,),
        "this bench's faults take both readers at once",
        "PHONE_READER_LOST|READER_LOST|READER_SERVICE_DOWN",
        kind="pcsc",
    ),
    Rule(O.NONE, (D.READER_UNPLUGGED,), (S.OUT_OF_SERVICE,), "this is how one comes here"),
    Rule(O.GOES_ON, (D.SERVICE_KILLED,), (S.OUT_OF_SERVICE,), "both must be repaired before it is back"),
    # --- The camera and the face engine ---
    Rule(O.CHOICE, CAMERAS, (S.FACE_MATCH,), "no fault of the patient", "FACE_CAMERA_LOST"),
    Rule(
        O.CHOICE,
        (D.CAMERA_UNPLUGGED,),
        (S.METHOD_CHOICE,),
        "what cannot be done is not offered",
        "FACE_CAMERA_LOST",
    ),
    Rule(
        O.GOES_ON,
        (D.CAMERA_BLACK, D.CAMERA_FROZEN),
        (S.METHOD_CHOICE,),
        "a camera that is fine is not opened between matches: nobody is filmed",
    ),
    Rule(O.GOES_ON, CAMERAS, but(S.METHOD_CHOICE, S.FACE_MATCH), "only a match needs the camera"),
    Rule(O.CHOICE, (D.ENGINE_KILLED,), (S.FACE_MATCH,), "no fault of the patient", "FACE_ENGINE_LOST"),
    Rule(O.GOES_ON, (D.ENGINE_KILLED,), but(S.FACE_MATCH), "only a match needs the engine"),
    # --- The server ---
    *(
        Rule(O.STAFF, (how,), (S.WAITING, *TO_ASK_SERVER), "nobody is checked in unconfirmed", code)
        for how, code in IDENTITY_FAILS.items()
    ),
    *(
        Rule(
            O.NOT_RECORDED,
            (how,),
            TO_SEND,
            "only the server knows whether it arrived; it is asked as soon as it answers",
            IDENTITY_FAILS[how],
        )
        for how in (D.SERVER_DOWN, D.SERVER_GARBLED)
    ),
    *(
        Rule(
            O.RECORDED_UNSEEN,
            (how,),
            TO_SEND,
            "it arrived, but the patient may only be told what the server has acknowledged",
            # What the last of the attempts came to: a lost answer, or one that had no time left.
            f"{IDENTITY_FAILS[how]}|SERVER_TIMED_OUT",
        )
        for how in (D.SERVER_SLOW, D.ANSWER_LOST)
    ),
    Rule(O.GOES_ON, SERVERS, (*OVER, S.OUT_OF_SERVICE), "the server is not asked any more"),
    # --- The surroundings ---
    Rule(O.GOES_ON, (D.FOLDER_FULL,), EVERY, "the file is written later, and the counter is told meanwhile"),
    Rule(O.GOES_ON, (D.CLOCK_JUMP,), EVERY, "waits run on a clock that nobody sets"),
    # --- The patient ---
    Rule(
        O.STAFF,
        (D.CANCEL,),
        (*BEFORE_LIMIT, S.LIMIT_CONSENT),
        "nothing is sent; the card must be taken",
        "CANCELLED",
    ),
    Rule(O.ENDS, (D.CANCEL,), (S.PHONE_TAP,), "nothing is sent, and there is no card to take", "CANCELLED"),
    Rule(
        O.GOES_ON,
        (D.CANCEL,),
        (*AT_REST, *SENT, S.CALL_STAFF),
        "there is nothing to cancel, or it is too late",
    ),
    Rule(
        O.STAFF,
        (D.CALL_STAFF,),
        (S.WAITING, *BEFORE_LIMIT, S.PHONE_TAP, S.LIMIT_CONSENT),
        "a member of staff goes on by hand",
        "STAFF_CALLED",
    ),
    Rule(O.GOES_ON, (D.CALL_STAFF,), (*SENT, S.CALL_STAFF), "it is done, or they come already"),
    Rule(O.GOES_ON, (D.CALL_STAFF,), (S.OUT_OF_SERVICE,), "the screen sends to the counter anyway"),
    Rule(O.STAFF, (D.TIME_OUT,), (S.READING,), "a card that reads so slowly is no use", "CARD_STALLED"),
    Rule(
        O.STAFF,
        (D.TIME_OUT,),
        (S.METHOD_CHOICE, S.PIN_ENTRY),
        "whoever walked away has left the card",
        "ANSWER_TIMED_OUT",
    ),
    Rule(O.CHOICE, (D.TIME_OUT,), (S.FACE_MATCH,), "another way may work", "FACE_NOT_SEEN"),
    Rule(O.CHOICE, (D.TIME_OUT,), (S.VISUAL_CHECK,), "staff were called away", "VISUAL_REFUSED"),
    Rule(O.ENDS, (D.TIME_OUT,), (S.PHONE_TAP,), "whoever walked away has the phone", "ANSWER_TIMED_OUT"),
    Rule(O.STAFF, (D.TIME_OUT,), (S.CHECKING,), "nobody waits for a server for ever", "SERVER_TIMED_OUT"),
    Rule(
        O.STAFF,
        (D.TIME_OUT,),
        (S.CARD_USE_OFFER,),
        "no answer is a no, and without registration the card is no insurance card",
        "CARD_USE_DECLINED",
    ),
    Rule(O.DECLINED, (D.TIME_OUT,), (S.CONSENT, S.LIMIT_CONSENT), "no answer is a no, after a warning"),
    Rule(
        O.RECORDED_UNSEEN,
        (D.TIME_OUT,),
        (S.SENDING,),
        "nobody waits for ever; what arrives later is told to the counter",
        "SERVER_TIMED_OUT",
    ),
    Rule(O.GOES_ON, (D.TIME_OUT,), OFFERING, "the visit is complete, and no answer is a no"),
    Rule(O.GOES_ON, (D.TIME_OUT,), (S.TAKE_CARD,), "the patient is reminded until the card is taken"),
    Rule(O.GOES_ON, (D.TIME_OUT,), (S.COMPLETE,), "the farewell ends by itself"),
    Rule(O.GOES_ON, (D.TIME_OUT,), (S.CALL_STAFF,), "the words stay until the card is taken"),
    Rule(O.NONE, (D.TIME_OUT,), AT_REST, "nothing is waited for"),
    Rule(
        O.GOES_ON,
        (D.DOUBLE_TAP,),
        (
            *(S.METHOD_CHOICE, S.PIN_ENTRY, S.VISUAL_CHECK, S.CARD_USE_OFFER, S.LIMIT_CONSENT),
            S.ATTRIBUTE_SIGN,
        ),
        "the second one comes late; a PIN is sent once",
    ),
    Rule(
        O.NONE,
        (D.DOUBLE_TAP,),
        (S.CONSENT, S.ATTRIBUTE_OFFER),
        "the window's buttons take one tap of two, or the next question would be answered unread",
    ),
    Rule(
        O.NONE,
        (D.DOUBLE_TAP,),
        (
            *AT_REST,
            *(S.READING, S.FACE_MATCH, S.PHONE_TAP, S.CHECKING, S.SENDING, S.TAKE_CARD, S.COMPLETE),
            S.CALL_STAFF,
        ),
        "no button here takes the visit on",
    ),
    # --- The terminal ---
    Rule(
        O.NEXT,
        (D.TERMINAL_KILLED,),
        (*BEFORE_LIMIT, S.LIMIT_CONSENT),
        "nothing was sent; the card that is still in begins anew",
        "interrupted",
    ),
    Rule(O.ENDS, (D.TERMINAL_KILLED,), (S.PHONE_TAP,), "nothing was sent", "interrupted"),
    Rule(O.NOT_RECORDED, (D.TERMINAL_KILLED,), (S.SENDING,), "the journal knew it before anything was sent"),
    Rule(
        O.NEXT_AFTER,
        (D.TERMINAL_KILLED,),
        (*OFFERING, S.TAKE_CARD),
        "shown complete; the card still in begins anew",
    ),
    Rule(O.GOES_ON, (D.TERMINAL_KILLED,), (S.COMPLETE,), "shown complete"),
    Rule(O.NEXT, (D.TERMINAL_KILLED,), (S.CALL_STAFF,), "its end stands in the journal", "STAFF_CALLED"),
    Rule(O.GOES_ON, (D.TERMINAL_KILLED,), AT_REST, "nobody is there"),
)
"""Exactly one rule for every cell of a bench; a test counts them."""


def expected(state: State, disturbance: Disturbance, kind: Kind) -> Rule:
    """Return the rule of a cell; raises LookupError unless there is exactly one."""
    found = [
        rule
        for rule in RULES
        if disturbance in rule.disturbances and state in rule.states and rule.kind in (None, kind)
    ]
    if len(found) != 1:
        raise LookupError(f"{state} and {disturbance} on {kind}: {len(found)} rules")
    return found[0]


def failures_of(rule: Rule, state: State) -> frozenset[str]:
    """Return the codes of which one must be told; an empty one means that none may be."""
    return frozenset(rule.failure.format(state=state.value).split("|"))


def disturbances_on(kind: Kind) -> tuple[Disturbance, ...]:
    """Return what is played on a bench: on pcsc, what another reader can change."""
    if kind == "pcsc":
        return DEVICES
    return tuple(each for each in Disturbance if each is not D.SERVICE_KILLED)
