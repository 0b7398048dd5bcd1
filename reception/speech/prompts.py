"""What is said for a snapshot, sentence by sentence; pure, and in the words of the screens (a test compares them)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import product

from consent.choices import Item
from hardware.face import Guidance
from reception.failures import FAILURES, FailureCode
from reception.screens import wording
from reception.snapshot import Snapshot
from reception.speech.menu import choices

CHECKED_IN = "受付が完了しました。"
TAKE_CARD = "カードをカードリーダーからお取りください。"
STAY = "カードは、そのまま入れておいてください。"
PHONE_AWAY = "スマートフォンは、しまってもかまいません。"
KEY_TONE = "♪"
"""A short tone in place of words: the same one for every digit that is typed."""
ALL_TYPED = "4桁、入力されました。エンターを押してください。"
ALL_GONE = "暗証番号が、全部消えました。"
MUTED = "音声を止めます。"
SOON_OVER = "まもなく、時間切れです。"
MORE_TIME = "こめじるしを押すと、時間をのばします。"
KEYS = (
    "もう一度聞くときは、0か、こめじるしを押してください。"
    "ひとつ戻る、または、やめるときは、マイナスを押してください。"
    "係の人を呼ぶときは、プラスを押してください。"
)
PIN_KEYS = (
    "数字を4つ押して、エンターを押してください。"
    "1つ消すときは、小数点を押してください。"
    "もう一度聞くときは、こめじるしを押してください。"
)
MOST_TRIES = 5
"""More PIN tries left than this are not said; the cards and phones of today have 3."""

STILL: dict[str, str] = {
    "READING": "カードを読み取っています。",
    "CHECKING": "健康保険の資格を確認しています。",
    "SENDING": "受付の内容を送っています。もう少しお待ちください。",
    "VISUAL_CHECK": "係の人が確認しています。そのままお待ちください。",
    "COMPLETE": f"{CHECKED_IN}お呼びするまでお待ちください。お大事になさってください。",
    "DESK_CLOSED": "ただいま、受付を休止しています。受付の係に、お声がけください。",
    "HELP": "こまったときは。係の人を呼んでください。",
    "BUNDLE": "情報の提供に、まとめて同意しますか。医師・薬剤師が見られるのは、今から24時間だけです。",
    "PRESCRIPTION": "処方箋の形を選んでください。電子処方箋では、薬局でカードを使います。",
    "CARD_USE_OFFER": "このカードを、健康保険証として使えるように登録しますか。"
    "登録は、はじめの一度だけです。登録しないと、この機械では受付できません。",
}
"""Screens that always say the same."""


def whole(snapshot: Snapshot) -> tuple[str, ...]:
    """Return everything that is said when a screen comes, and again on request: sentences in their order."""
    return tuple(sentences_of([*_reason(snapshot), *_screen(snapshot), *_menu(snapshot)]))


def news(before: Snapshot, now: Snapshot) -> tuple[str, ...]:
    """Return what is said because of a change; nothing when there is nothing new to hear.

    Of typed digits only that one came, or that all are there or gone, never which.
    """
    if _moment(before) != _moment(now):
        return whole(now)
    if now.seconds_left is not None and before.seconds_left is None:
        return tuple(sentences_of([SOON_OVER, _end_of(now), MORE_TIME]))
    if now.screen == "PIN_ENTRY" and now.pin_digits != before.pin_digits:
        return tuple(sentences_of([_typed(before.pin_digits, now.pin_digits)]))
    if now.screen == "FACE_MATCH" and now.guidance != before.guidance:
        return tuple(sentences_of([_guidance(now)]))
    if now.reminders > before.reminders and now.card_in:
        return tuple(sentences_of(["カードをお忘れなく。", TAKE_CARD]))
    return ()


def waits_its_turn(before: Snapshot, now: Snapshot) -> bool:
    """Say whether the news may wait until what is being said is over: hints of the camera change all the time."""
    return _moment(before) == _moment(now) and now.screen == "FACE_MATCH" and now.seconds_left is None


def _moment(snapshot: Snapshot) -> tuple[object, ...]:
    of_pin = snapshot.pin_tries_left if snapshot.screen in ("PIN_ENTRY", "LAST_TRY") else None
    return (
        snapshot.screen,
        snapshot.occasion,
        snapshot.failure,
        snapshot.card_in if snapshot.screen in ("WAITING", "TAKE_CARD") else None,
        snapshot.reading_phone,
        snapshot.methods if snapshot.screen == "METHOD_CHOICE" else (),
        of_pin,
    )


def _typed(before: int, now: int) -> str:
    if now == 4:
        return ALL_TYPED
    return KEY_TONE if now else ALL_GONE if before else ""


def _reason(snapshot: Snapshot) -> list[str]:
    """What went wrong and what to do now, where the screen shows it."""
    if not snapshot.failure:
        return []
    failure = FAILURES[FailureCode(snapshot.failure)]
    with_card = snapshot.card_in
    next_step = failure.next_step if with_card else wording.with_card_out(failure.next_step)
    match snapshot.screen:
        case "WAITING":
            what = wording.without_not_complete(failure.patient)
            return [wording.NOT_COMPLETE, "" if what == wording.NOT_COMPLETE else what, next_step]
        case "METHOD_CHOICE" | "PHONE_TAP":
            return [failure.patient, failure.next_step]
        case "CALL_STAFF":
            return [failure.patient, next_step]
        case "OUT_OF_SERVICE":
            return [failure.patient]
        case "PIN_ENTRY" if snapshot.failure == FailureCode.PHONE_MOVED_AFTER_PIN:
            return [failure.patient, failure.next_step]
        case "PIN_ENTRY" | "LAST_TRY" if snapshot.failure == FailureCode.PIN_WRONG:
            return [failure.patient]
    return []


def _screen(snapshot: Snapshot) -> list[str]:
    by_phone = snapshot.by_phone
    match snapshot.screen:
        case "WAITING" if snapshot.card_in:
            return [TAKE_CARD]
        case "WAITING":
            return [
                "マイナンバーカードをカードリーダーに入れてください。",
                "ケースから出して、向きを確かめて入れてください。",
            ]
        case "READING" | "CHECKING":
            return [STILL[snapshot.screen], PHONE_AWAY if by_phone else STAY]
        case "METHOD_CHOICE":
            return [_which_way(snapshot)]
        case "FACE_MATCH":
            return ["画面の枠に顔が収まるようにすると自動的に撮影されます。", _guidance(snapshot)]
        case "PIN_ENTRY":
            return ["暗証番号を入力してください。", *_tries(snapshot), PIN_KEYS]
        case "LAST_TRY":
            where = "" if by_phone else "解除は、市区町村の窓口でできます。"
            return [
                "暗証番号を入力できるのはあと1回です。",
                f"つぎにまちがえると、暗証番号がロックされます。{where}",
            ]
        case "PHONE_TAP" if snapshot.reading_phone:
            return ["スマートフォンを読み取っています。そのまま、動かさないでください。"]
        case "PHONE_TAP":
            first = "iPhoneの画面で本人確認をしてから、" if snapshot.phone == "iphone" else ""
            return [
                "スマートフォンを読み取り機にかざしてください。",
                f"{first}読み終わるまで、動かさないでください。",
            ]
        case "CONSENT" | "LIMIT_CONSENT":
            return _question(snapshot)
        case "TAKE_CARD":
            return [CHECKED_IN, TAKE_CARD if snapshot.card_in else "お呼びするまでお待ちください。"]
        case "CALL_STAFF":
            return [] if snapshot.failure else ["係の人を呼んでいます。", "そのままお待ちください。"]
        case "OUT_OF_SERVICE":
            take = "カードが入っていれば、お取りください。" if snapshot.card_in else ""
            return ["ただいま、この機械はご利用いただけません。", "受付の係に、お声がけください。", take]
        case screen:
            return [STILL[screen]]


def _which_way(snapshot: Snapshot) -> str:
    if snapshot.by_phone:
        return "スマートフォンの種類を選んでください。"
    if {"face", "pin"} <= set(snapshot.methods):
        return "顔認証または暗証番号のどちらかを選んでください。"
    return "本人確認の方法を選んでください。"


def _guidance(snapshot: Snapshot) -> str:
    asked = snapshot.guidance
    return wording.GUIDANCE[Guidance(asked)] if asked else wording.LOOKING_GOOD


def _tries(snapshot: Snapshot) -> list[str]:
    left = snapshot.pin_tries_left
    return [f"残り{left}回。"] if left is not None and 1 <= left <= MOST_TRIES else []


def _question(snapshot: Snapshot) -> list[str]:
    heading, body = wording.QUESTIONS.get(snapshot.question, ("", ""))
    many = snapshot.question_count > 1
    count = [f"質問{snapshot.question_number}。", f"全部で{snapshot.question_count}問です。"] if many else []
    out = "カードを取ると、「提供しない」として受付に進みます。"
    note = "医師・薬剤師が見られるのは、今から24時間だけです。"
    if snapshot.screen == "LIMIT_CONSENT":
        note = "" if snapshot.by_phone else out
    return [*count, heading, body, note]


def _menu(snapshot: Snapshot) -> list[str]:
    said = []
    for number, choice in enumerate(choices(snapshot), 1):
        said += [f"{number}を押すと。", choice.label]
    return [*said, KEYS] if snapshot.screen == "METHOD_CHOICE" else said


def _end_of(snapshot: Snapshot) -> str:
    """Say what the end of the wait means."""
    if snapshot.screen == "CARD_USE_OFFER":
        return "このままでは、「登録しない」になります。"
    if snapshot.screen == "PRESCRIPTION":
        return "このままでは、選ばずに進みます。"
    if snapshot.screen not in ("CONSENT", "LIMIT_CONSENT"):
        return "このままでは、終わります。"
    answers = wording.ANSWERS.get(snapshot.question, wording.PLAIN_ANSWERS)
    return f"このままでは、「{answers[1].partition('・')[0]}」になります。"


def sentences_of(texts: Iterable[str]) -> Iterator[str]:
    """Cut texts of the screens into sentences as they are spoken: no line ends, arrows or brackets; a full stop."""
    for text in texts:
        for sentence in re.sub(r"[\s←→()()「」]", "", text).split("。"):
            if sentence:
                yield sentence if sentence == KEY_TONE else f"{sentence}。"


SCREENS = (
    *("WAITING", "METHOD_CHOICE", "FACE_MATCH", "PIN_ENTRY", "LAST_TRY", "PHONE_TAP", "CONSENT"),
    *("LIMIT_CONSENT", "TAKE_CARD", "CALL_STAFF", "OUT_OF_SERVICE", *STILL),
)


@cache
def every_sentence() -> frozenset[str]:
    """Return every sentence that can be said: each needs its recording."""
    said = set(sentences_of([SOON_OVER, MORE_TIME, ALL_TYPED, ALL_GONE, KEY_TONE, MUTED]))
    failures = ("", *FailureCode)
    yes_no = (False, True)
    for screen, failure, card_in, by_phone in product(SCREENS, failures, yes_no, yes_no):
        base = Snapshot(
            screen=screen,
            failure=failure,
            card_in=card_in,
            by_phone=by_phone,
            question="MEDICATION",
            methods=("iphone", "android") if by_phone else ("face", "pin"),
            phones_ready=True,
        )
        said.update(whole(base))
        if not failure:
            for varied in _variants(base):
                said.update(whole(varied))
                said.update(news(varied, replace(varied, seconds_left=20)))
                said.update(news(varied, replace(varied, reminders=1)))
    return frozenset(said)


def _variants(base: Snapshot) -> Iterator[Snapshot]:
    """The ways in which a screen says something else."""
    yield replace(base, reading_phone=True)
    yield replace(base, phone="iphone")
    yield replace(base, methods=("face",))
    for guidance in Guidance:
        yield replace(base, guidance=guidance)
    for left in range(1, MOST_TRIES + 1):
        yield replace(base, pin_tries_left=left)
    for number, item in enumerate(Item, 1):
        yield replace(base, question=item, question_number=number, question_count=max(2, number))
