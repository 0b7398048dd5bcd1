"""What is said for a snapshot, sentence by sentence; pure, and in the words of the screens (a test compares them)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import product

from config.subsidies import MOST_SUBSIDIES
from consent.choices import ConsentAnswer, Item
from hardware.face.guidance import Guidance
from reception.flow import READER_BUSY, AttributeOutcome, HelpTopic, Language, Method, State, numbered
from reception.flow.failures import FailureCode
from reception.speech.menu import choices, other_language
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, attributes, catalogue, wording
from reception.texts.failures import FAILURES, NOT_COMPLETE

KEY_TONE = "♪"
"""A short tone in place of words: the same one for every digit that is typed."""
ALL_TYPED = N_("4桁、入力されました。エンターを押してください。")
ALL_GONE = N_("暗証番号が、全部消えました。")
IN_THIS_LANGUAGE = N_("日本語で聞くときは、9を押してください。")
"""Each language's catalogue speaks of itself here."""
MUTED = N_("音声を止めます。")
SOON_OVER = N_("まもなく、時間切れです。")
MORE_TIME = N_("こめじるしを押すと、時間をのばします。")
KEYS = N_(
    "もう一度聞くときは、0か、こめじるしを押してください。"
    "ひとつ戻る、または、やめるときは、マイナスを押してください。"
    "係の人を呼ぶときは、プラスを押してください。"
)
PIN_KEYS = N_(
    "数字を4つ押して、エンターを押してください。"
    "1つ消すときは、小数点を押してください。"
    "もう一度聞くときは、こめじるしを押してください。"
)
DIGITS = 4
"""Of a PIN."""
MOST_QUESTIONS = len(Item) - 1 + MOST_SUBSIDIES
"""Of one visit: MEDICAL_SUBSIDY is asked for each certificate."""
MOST_TRIES = 5
"""More PIN tries left than this are not said; the cards and phones of today have 3."""


def whole(snapshot: Snapshot) -> tuple[str, ...]:
    """Return everything that is said when a screen comes, and again on request: sentences in their order."""
    t = catalogue(snapshot.language, snapshot.facility)
    said = sentences_of([*_reason(snapshot, t), *_screen(snapshot, t), *_menu(snapshot, t)], t)
    wanted = other_language(snapshot)
    if wanted is None:
        return tuple(said)
    other = catalogue(wanted.language)
    return (*said, *sentences_of([other(IN_THIS_LANGUAGE)], other))


def news(before: Snapshot, now: Snapshot) -> tuple[str, ...]:
    """Return what is said because of a change; nothing when there is nothing new to hear.

    Of typed digits only that one came, or that all are there or gone, never which.
    """
    if _moment(before) != _moment(now):
        return whole(now)
    t = catalogue(now.language, now.facility)
    if now.seconds_left is not None and before.seconds_left is None:
        return tuple(sentences_of([t(SOON_OVER), _end_of(now, t), t(MORE_TIME)], t))
    if now.pin_short and not before.pin_short:
        missing = DIGITS - now.pin_digits
        return tuple(sentences_of([t(wording.PIN_SHORT), t(wording.PIN_MORE, count=missing)], t))
    if now.screen == "SUMMARY" and now.answers != before.answers:
        return tuple(sentences_of(_answers(now, t, before), t))
    if now.screen == "PIN_ENTRY" and now.pin_digits != before.pin_digits:
        return tuple(sentences_of([t(_typed(before.pin_digits, now.pin_digits))], t))
    if now.screen == "FACE_MATCH" and now.guidance != before.guidance:
        return tuple(sentences_of([t(wording.guidance(now))], t))
    if now.screen == "READING" and now.guidance == READER_BUSY != before.guidance:
        return tuple(sentences_of([t(wording.OTHER_PROGRAM)], t))
    if now.reminders > before.reminders and now.card_in:
        return tuple(sentences_of([t(wording.DO_NOT_FORGET), t(wording.TAKE_CARD)], t))
    return ()


def waits_its_turn(before: Snapshot, now: Snapshot) -> bool:
    """Say whether the news may wait until what is being said is over: hints of the camera change all the time."""
    return _moment(before) == _moment(now) and now.screen == "FACE_MATCH" and now.seconds_left is None


def _moment(snapshot: Snapshot) -> tuple[object, ...]:
    of_pin = snapshot.pin_tries_left if snapshot.screen in ("PIN_ENTRY", "LAST_TRY") else None
    return (
        snapshot.language,
        snapshot.screen,
        snapshot.occasion,
        snapshot.failure,
        snapshot.card_in if snapshot.screen in ("WAITING", "TAKE_CARD") else None,
        snapshot.reading_phone,
        bool(snapshot.qr),
        snapshot.attribute_outcome if snapshot.screen == "TAKE_CARD" else "",
        snapshot.methods if snapshot.screen == "METHOD_CHOICE" else (),
        of_pin,
    )


def _typed(before: int, now: int) -> str:
    if now == DIGITS:
        return ALL_TYPED
    return KEY_TONE if now else ALL_GONE if before else ""


def _reason(snapshot: Snapshot, t: Catalogue) -> list[str]:
    """What went wrong and what to do now, where the screen shows it."""
    if not snapshot.failure:
        return []
    failure = FAILURES[snapshot.failure]
    what, next_step = wording.failure_texts(snapshot, t)
    match snapshot.screen:
        case "WAITING" if snapshot.failure is FailureCode.STAFF_CALLED:
            return [t(wording.STAFF_ON_THE_WAY), t(wording.PLEASE_WAIT)]
        case "WAITING":
            return [t(NOT_COMPLETE), t(failure.what), next_step]
        case "CALL_STAFF" if snapshot.failure is FailureCode.STAFF_CALLED:
            still = t(wording.STILL_ON) if snapshot.interrupted else ""
            return [t(wording.STAFF_ON_THE_WAY), t(wording.PLEASE_WAIT), still]
        case "CALL_STAFF" if snapshot.failure in (FailureCode.NO_METHOD_LEFT, FailureCode.PIN_BLOCKED):
            return [what, next_step, t(wording.BY_SIGHT)]
        case "METHOD_CHOICE" | "PHONE_TAP" | "CALL_STAFF":
            return [what, next_step]
        case "OUT_OF_SERVICE":
            return [what]
        case "PIN_ENTRY" | "LAST_TRY" if snapshot.failure in wording.OF_THE_PIN:
            return [what]
    return []


def _screen(snapshot: Snapshot, t: Catalogue) -> list[str]:
    if snapshot.screen == "PIN_ENTRY":
        return [*_asked_for_pin(snapshot, t), *_tries(snapshot, t), t(PIN_KEYS)]
    if snapshot.screen in ("CONSENT", "LIMIT_CONSENT"):
        return _question(snapshot, t)
    if snapshot.screen == "SUMMARY":
        return [t(wording.SEND_THIS), *_answers(snapshot, t), t(wording.PRESS_TO_CHANGE)]
    return [t(text) for text in _fixed(snapshot)]


def _asked_for_pin(snapshot: Snapshot, t: Catalogue) -> list[str]:
    """Say what is asked for, unless what went wrong says it."""
    if snapshot.pin_short:
        return [t(wording.PIN_SHORT), t(wording.PIN_MORE, count=DIGITS - snapshot.pin_digits)]
    said = snapshot.failure in (FailureCode.PIN_WRONG, FailureCode.PHONE_MOVED_AFTER_PIN)
    return [] if said else [t(wording.TYPE_PIN)]


def _fixed(snapshot: Snapshot) -> Sequence[str]:
    """What is said without numbers in it."""
    match snapshot.screen:
        case "WAITING" if snapshot.failure and not snapshot.card_in:
            return ()
        case "WAITING":
            return (wording.TAKE_CARD,) if snapshot.card_in else (wording.PUT_IN, wording.RIGHT_WAY)
        case "READING" | "CHECKING":
            stay = wording.PHONE_AWAY if snapshot.by_phone else wording.STAY
            return (*wording.STILL[snapshot.screen], stay)
        case "METHOD_CHOICE":
            return (wording.which_way(snapshot),)
        case "FACE_MATCH":
            return (wording.IN_THE_FRAME, wording.guidance(snapshot))
        case "LAST_TRY":
            unblock = "" if snapshot.by_phone else wording.UNBLOCK
            return (wording.ONE_TRY, wording.THEN_BLOCKED, unblock)
        case "PHONE_TAP" if snapshot.reading_phone:
            return (wording.READING_PHONE, wording.PHONE_STILL)
        case "PHONE_TAP":
            first = wording.PHONE_FIRST if snapshot.phone is Method.IPHONE else ""
            return (wording.LAY_PHONE, first, wording.PHONE_UNTIL_READ)
        case "TAKE_CARD":
            # With a number, its own place to wait is said.
            called = "" if snapshot.queue_number or snapshot.wait_at else wording.UNTIL_CALLED
            then = wording.TAKE_CARD if snapshot.card_in else called
            outcome = attributes.OUTCOMES.get(snapshot.attribute_outcome, "")
            return (wording.CHECKED_IN, then, wording.NOTICES.get(snapshot.notice, ""), outcome)
        case "ATTRIBUTE_OFFER":
            asked = attributes.ASKED.get(snapshot.attribute, "")
            return (wording.CHECKED_IN, asked, attributes.REFUSAL, attributes.HOW_LONG, attributes.TAKE_BACK)
        case "ATTRIBUTE_SIGN":
            wrong = attributes.WRONG if snapshot.signing_missed else ""
            return (wrong, attributes.SIGN, "" if wrong else attributes.WHAT_IT_IS)
        case "ATTRIBUTE_QR":
            return (attributes.SCAN, attributes.ON_PHONE) if snapshot.qr else (attributes.MAKING,)
        case "CALL_STAFF":
            return () if snapshot.failure else (wording.STAFF_ON_THE_WAY, wording.PLEASE_WAIT)
        case "OUT_OF_SERVICE":
            return (wording.OUT_OF_USE, wording.ASK_STAFF, wording.TAKE_IF_IN if snapshot.card_in else "")
        case "HELP":
            return wording.HELP[snapshot.help]
        case screen:
            return wording.STILL[screen]


def _answers(snapshot: Snapshot, t: Catalogue, before: Snapshot | None = None) -> list[str]:
    """Say what was answered to what; only what differs from ``before``."""
    known = set(numbered(before.answers)) if before else set()
    said = []
    for item, number, answer in numbered(snapshot.answers):
        if (item, number, answer) not in known:
            said += [t(wording.provided(item, number, snapshot)), t(wording.answer_words(item, answer))]
    return said


def _tries(snapshot: Snapshot, t: Catalogue) -> list[str]:
    left = snapshot.pin_tries_left
    return [t(wording.TRIES_LEFT, count=left)] if left is not None and 1 <= left <= MOST_TRIES else []


def _question(snapshot: Snapshot, t: Catalogue) -> list[str]:
    question = wording.QUESTIONS.get(snapshot.question)
    if question is None:
        return []
    count = []
    if snapshot.question_count > 1:
        number = t(QUESTION, number=snapshot.question_number)
        count = [number, t(QUESTIONS, count=snapshot.question_count)]
    # Its title is not read; a certificate is never called by its own name.
    of = question.name if snapshot.question == Item.MEDICAL_SUBSIDY else ""
    told = (
        of,
        wording.which_certificate(snapshot),
        question.asked,
        *wording.facts(snapshot),
        wording.question_note(snapshot),
    )
    return [*count, *(t(text) for text in told)]


def _menu(snapshot: Snapshot, t: Catalogue) -> list[str]:
    said = []
    for number, choice in enumerate(choices(snapshot), 1):
        said += [t(PRESS, number=number), t(choice.label)]
    return [*said, t(KEYS)] if snapshot.screen == "METHOD_CHOICE" else said


PRESS = N_("{number}を押すと。")
QUESTION = N_("質問{number}。")
QUESTIONS = N_("全部で{count}問です。")


def _end_of(snapshot: Snapshot, t: Catalogue) -> str:
    """Say what the end of the wait means."""
    if snapshot.screen == "PRESCRIPTION":
        return t(N_("このままでは、選ばずに進みます。"))
    if snapshot.screen == "SUMMARY":
        return t(N_("このままでは、この内容で送ります。"))
    if answer := wording.answer_at_end(snapshot):
        return t(N_("このままでは、「{answer}」になります。"), answer=t(answer))
    return t(N_("このままでは、終わります。"))


def sentences_of(texts: Iterable[str], t: Catalogue) -> Iterator[str]:
    """Cut texts of the screens into sentences as they are spoken: no arrows, quotes or brackets; a full stop."""
    stop, ends = (".", r"(?<=[.?!])\s+") if t.spaced else ("。", "(?<=。)")
    for text in texts:
        for sentence in re.split(ends, re.sub(r"[←→()()「」“”]", "", text)):
            said = sentence.strip() if t.spaced else re.sub(r"\s", "", sentence)
            if said:
                yield said if said == KEY_TONE or said[-1] in ".?!:。" else said + stop


SCREENS = (
    *("WAITING", "METHOD_CHOICE", "FACE_MATCH", "PIN_ENTRY", "LAST_TRY", "PHONE_TAP", "CONSENT"),
    *("ATTRIBUTE_OFFER", "ATTRIBUTE_SIGN", "ATTRIBUTE_QR"),
    *("SUMMARY", "LIMIT_CONSENT", "TAKE_CARD", "CALL_STAFF", "OUT_OF_SERVICE", "HELP", *wording.STILL),
)


@cache
def every_sentence(language: str) -> frozenset[str]:
    """Return every sentence that can be said in a language: each needs its recording."""
    t = catalogue(language)
    said = set(
        sentences_of(
            [KEY_TONE, *map(t, (SOON_OVER, MORE_TIME, ALL_TYPED, ALL_GONE, MUTED, wording.OTHER_PROGRAM))], t
        )
    )
    failures = ("", *FailureCode)
    yes_no = (False, True)
    for facility in ("clinic", "pharmacy"):
        for screen, failure, card_in, by_phone in product(SCREENS, failures, yes_no, yes_no):
            base = Snapshot(
                language=Language(language),
                facility=facility,
                screen=screen,
                failure=failure,
                card_in=card_in,
                by_phone=by_phone,
                question=Item.MEDICATION,
                methods=(Method.IPHONE, Method.ANDROID) if by_phone else (Method.FACE, Method.PIN),
                phones_ready=True,
                help=HelpTopic.LIST,
            )
            said.update(whole(base))
            if not failure:
                for varied in _variants(base):
                    said.update(whole(varied))
                    said.update(news(varied, replace(varied, seconds_left=20)))
                    said.update(news(varied, replace(varied, reminders=1)))
                for digits in range(DIGITS):
                    typed = replace(base, pin_digits=digits)
                    said.update(news(typed, replace(typed, pin_short=True)))
    return frozenset(said)


def _variants(base: Snapshot) -> Iterator[Snapshot]:
    """The ways in which a screen says something else."""
    yield replace(base, reading_phone=True)
    yield replace(base, phone=Method.IPHONE)
    yield replace(base, methods=(Method.FACE,))
    yield replace(base, interrupted=True, failure=FailureCode.STAFF_CALLED)
    yield replace(base, question=Item.HEALTH_CHECKUP, age_known=False)
    for answer in ConsentAnswer:
        yield replace(base, answers=tuple((item, answer) for item in Item))
    for topic in HelpTopic:
        yield replace(base, help=topic)
        yield replace(base, help=topic, visit="v", state=State.METHOD_CHOICE)
        yield replace(base, help=topic, visit="v", state=State.METHOD_CHOICE, methods=(Method.PIN,))
    for attribute in attributes.ASKED:
        yield replace(base, attribute=attribute)
    for outcome in AttributeOutcome:
        yield replace(base, attribute_outcome=outcome)
    yield replace(base, signing_missed=True)
    yield replace(base, qr="https://portal.example/")
    for notice in wording.NOTICES:
        yield replace(base, notice=notice)
    for guidance in Guidance:
        yield replace(base, guidance=guidance)
    for left in range(1, MOST_TRIES + 1):
        yield replace(base, pin_tries_left=left)
    for number in range(1, MOST_QUESTIONS + 1):
        item = list(Item)[(number - 1) % len(Item)]
        yield replace(base, question=item, question_number=number, question_count=max(2, number))
    for number in range(1, MOST_SUBSIDIES + 1):
        asked = replace(base, question=Item.MEDICAL_SUBSIDY, subsidy_number=number, subsidy_count=2)
        yield replace(asked, answers=((Item.MEDICAL_SUBSIDY, ConsentAnswer.GIVEN),) * number)
