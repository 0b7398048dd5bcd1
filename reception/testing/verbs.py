"""What is done in a visit: the verbs of a scenario, what each of them tells the flow, and what a patient taps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass as checked

from config.subsidies import MOST_SUBSIDIES
from config.toml_file import STRICT
from consent.choices import ConsentAnswer, Item, PrescriptionForm
from reception import flow
from reception.flow import Event, Method, State
from reception.testing.testbench.operators import Hand

Verb = Literal[
    Hand,
    "swap_card",
    "choose_face",
    "choose_pin",
    "choose_phone",
    "type_pin",
    "answer",
    "answer_all",
    "answer_card_use",
    "choose_prescription",
    "answer_attribute",
    "type_password",
    "sign_on_phone",
    "withdraw_attributes",
    "authority",
    "move_house",
    "attributes_job",
    "pass_days",
    "press",
    "extend_time",
    "cancel",
    "call_staff",
    "staff_start_visual",
    "staff_confirm_visual",
    "staff_refuse_visual",
    "show",
    "fail_power_ups",
    "lose_exchanges",
    "reader_quirk",
    "kill_engine",
    "stop_server",
    "start_server",
    "server_fault",
    "fill_folder",
    "empty_folder",
    "jump_clock",
    "ask_receipt",
    "kill_terminal",
    "restart_terminal",
    "wait",
]

BUTTONS: dict[str, flow.Event] = {
    "back_to_choice": flow.BackToChoice(),
    "accept_last_try": flow.AcceptLastTry(),
    "pin_clear": flow.PinClear(),
    "pin_backspace": flow.PinBackspace(),
    "pin_submit": flow.PinSubmit(),
    "more_time": flow.MoreTime(),
    "agree_to_all": flow.AnswerAll(ConsentAnswer.GIVEN),
    "decline_all": flow.AnswerAll(ConsentAnswer.DECLINED),
    "one_by_one": flow.OneByOne(),
    "previous_question": flow.PreviousQuestion(),
    "confirm_answers": flow.ConfirmAnswers(),
    "ask_cancel": flow.AskCancel(),
    "keep_on": flow.KeepOn(),
    "take_on_call": flow.TakeOnCall(),
    **{f"change_{item}": flow.ChangeAnswer(item) for item in Item},
    **{
        f"change_{Item.MEDICAL_SUBSIDY}_{number}": flow.ChangeAnswer(Item.MEDICAL_SUBSIDY, number)
        for number in range(2, MOST_SUBSIDIES + 1)
    },
    "sign_by_phone": flow.SignByPhone(),
    "skip_signing": flow.SkipSigning(),
    "cancel": flow.Cancel(),
    "call_staff": flow.CallStaff(),
    "leave_help": flow.LeaveHelp(),
    "close_desk": flow.CloseDesk(),
    "open_desk": flow.OpenDesk(),
    **{f"help_{topic}": flow.AskHelp(topic) for topic in flow.HelpTopic},
    **{f"language_{language}": flow.ChooseLanguage(language) for language in flow.Language},
    **{f"display_{mode}": flow.ChooseDisplay(mode) for mode in flow.DisplayMode},
    **{f"staff_text_{text or 'none'}": flow.ShowStaffText(text) for text in flow.StaffText},
}
"""What ``press`` can press, on the patient's window and at the counter."""

_TAPS: Mapping[Verb, Event] = {
    "choose_face": flow.Choose(Method.FACE),
    "choose_pin": flow.Choose(Method.PIN),
    "extend_time": flow.MoreTime(),
    "cancel": flow.Cancel(),
    "call_staff": flow.CallStaff(),
    "staff_refuse_visual": flow.StaffRefuseVisual(),
}
_ANSWERS: Mapping[Verb, tuple[Callable[[Any], Event], Callable[[str], str]]] = {
    "answer": (flow.Answer, ConsentAnswer),
    "answer_all": (flow.Answer, ConsentAnswer),
    "answer_card_use": (flow.AnswerCardUse, ConsentAnswer),
    "choose_prescription": (flow.ChoosePrescription, PrescriptionForm),
    "answer_attribute": (flow.AnswerAttribute, ConsentAnswer),
    "staff_confirm_visual": (flow.StaffConfirmVisual, lambda reason: reason or "other"),
}
"""What is told with a value, and how the value is read."""

_VERB_OF_TAP = {event: verb for verb, event in _TAPS.items()}
_VERB_OF_ANSWER = {event: verb for verb, (event, _) in _ANSWERS.items() if verb != "answer_all"}
_BUTTON_OF = {event: name for name, event in BUTTONS.items()}
_YEAR_S = 366 * 86_400.0


def event_of(verb: Verb, value: str = "") -> Event:
    """Return what a verb that only tells the flow something tells it; raises KeyError for any other."""
    if verb == "press":
        return BUTTONS[value]
    if verb in _ANSWERS:
        event, read = _ANSWERS[verb]
        return event(read(value))
    return _TAPS[verb]


def verb_of(event: Event) -> tuple[Verb, dict[str, Any]] | None:
    """Return the verb for what a person did, and its arguments; None for what devices and workers told."""
    match event:
        case flow.ChoosePhone():
            return "choose_phone", {}
        case flow.Choose(Method.IPHONE | Method.ANDROID as method):
            return "choose_phone", {"value": method.value}
        case flow.PinSubmit():
            return "type_pin", {"value": "card"}
        case flow.SigningSubmit():
            return "type_password", {"value": "card"}
        case flow.StaffStartVisual():
            return "staff_start_visual", {}
        case _ if event in _VERB_OF_TAP:
            return _VERB_OF_TAP[event], {}
        case _ if type(event) in _VERB_OF_ANSWER:
            (value,) = vars(event).values()
            return _VERB_OF_ANSWER[type(event)], {"value": str(value)}
        case _ if event in _BUTTON_OF:
            return "press", {"value": _BUTTON_OF[event]}
    return None


@checked(frozen=True, config=STRICT)
class Rule:
    """What is done when a state asks for the n-th time; the first time unless ``visit`` says otherwise."""

    state: State
    do: Verb
    visit: Annotated[int, Field(ge=1)] = 1
    value: str = ""
    item: Item | None = None
    person: str = ""
    clip: str = ""
    kind: str = ""
    days: Annotated[int, Field(ge=0, le=4000)] = 1
    """Of pass_days."""
    reason: str = ""
    """Of ``authority``: why a certificate is revoked."""
    path: str = ""
    """Of ``server_fault``: only requests whose path begins so; "/operator", or "/jlis" for J-LIS behind it."""
    password: str = ""
    """Of the bench's staff; empty: the right one."""
    seconds: Annotated[float, Field(ge=-_YEAR_S, le=_YEAR_S)] = 1.0
    """Of jump_clock forwards or, negative, back; of wait, stall_card and hold_reader at most an hour."""
    count: Annotated[int, Field(ge=0, le=250)] = 1
    """Of fail_power_ups and lose_exchanges: how many."""
    after: Annotated[int, Field(ge=0, le=250)] = 0
    """Of lose_exchanges: how many pass before."""


def agrees(question: str) -> ConsentAnswer:
    """Agree to everything."""
    return ConsentAnswer.GIVEN


@dataclass
class Patient:
    """What somebody taps who wants to be checked in."""

    method: Method = Method.PIN
    pin: str = "card"
    """Digits, or "card": those of the card."""
    answer: Callable[[str], ConsentAnswer] = field(default=agrees)
    """By the name of the Item that is asked."""

    def tap(self, state: State, question: str = "") -> Event | None:
        """Return what they tap in a state, once the PIN is typed; None: nothing."""
        match state:
            case State.METHOD_CHOICE:
                return flow.Choose(self.method)
            case State.PIN_ENTRY:
                return flow.PinSubmit()
            case State.VISUAL_CHECK:
                return flow.StaffConfirmVisual("other")
            case State.CARD_USE_OFFER:
                return flow.AnswerCardUse(ConsentAnswer.GIVEN)
            case State.CONSENT | State.LIMIT_CONSENT:
                return flow.Answer(self.answer(question))
            case State.ATTRIBUTE_OFFER:
                return flow.AnswerAttribute(ConsentAnswer.GIVEN)
            case State.ATTRIBUTE_SIGN:
                return flow.SigningSubmit()
        return None
