"""What the patient reads on each screen, in Japanese; official wording where there is one (leaflet of 2023-08)."""

from consent.choices import Item
from hardware.face import Guidance
from reception.failures import FailureCode

NOT_COMPLETE = "受付は完了していません。"

STEPS = ("読み取り", "本人確認", "同意取得", "受付完了")
STEP_NUMBERS = {"READ": 1, "IDENTITY": 2, "CONSENT": 3, "COMPLETE": 4}

GUIDANCE = {
    Guidance.NO_FACE: "枠の中に、お顔を入れてください",
    Guidance.ONE_PERSON: "お一人ずつ、写ってください",
    Guidance.MORE_LIGHT: "暗いため、明るい方を向いてください",
    Guidance.LESS_LIGHT: "明るすぎるため、光をさけてください",
    Guidance.CLOSER: "もう少し、近づいてください",
    Guidance.FURTHER: "もう少し、はなれてください",
    Guidance.LOOK_STRAIGHT: "正面を向いてください",
    Guidance.HOLD_STILL: "そのまま、動かないでください",
    Guidance.UNCOVER_MOUTH: "マスクを、外してください",
    Guidance.UNCOVER_EYES: "サングラスや帽子を、外してください",
    Guidance.MOVE_A_LITTLE: "お顔を少し、左右に向けてください",
    Guidance.TURN_LEFT: "← ゆっくり、左を向いてください",
    Guidance.TURN_RIGHT: "ゆっくり、右を向いてください →",
    Guidance.BLINK: "ゆっくり、まばたきをしてください",
}
"""One short sentence for everything the face gate can ask."""
LOOKING_GOOD = "そのまま、お待ちください"

QUESTIONS: dict[str, tuple[str, str]] = {
    Item.MEDICATION: (
        "お薬情報に関する情報提供の\n同意について",
        "これまでのお薬と診療の情報を、\n医師・薬剤師に提供しますか。",
    ),
    Item.DIAGNOSIS: ("診療情報の提供について", "過去に受けた診療の情報を、\n医師・薬剤師に提供しますか。"),
    Item.OPERATION: ("手術情報の提供について", "過去に受けた手術の情報を、\n医師・薬剤師に提供しますか。"),
    Item.HEALTH_CHECKUP: (
        "特定健診情報の提供について",
        "過去に受けた健診の結果を、\n医師・薬剤師に提供しますか。\n(40歳以上の方が対象です)",
    ),
    Item.LIMIT_AMOUNT: (
        "限度額情報を\n提供しますか",
        "窓口でのお支払いの上限を\n確認するための情報です。",
    ),
    Item.SPECIFIC_DISEASE: (
        "特定疾病療養受療証の情報の\n提供について",
        "特定疾病の情報を、\nこの医療機関・薬局に提供しますか。",
    ),
    Item.MEDICAL_SUBSIDY: (
        "医療費助成の情報の\n提供について",
        "医療費助成の受給者証の情報を、\nこの医療機関・薬局に提供しますか。",
    ),
}
"""Heading and explanation of each question, by item."""

ANSWERS: dict[str, tuple[str, str]] = {
    Item.HEALTH_CHECKUP: ("同意する", "同意しない・40歳未満"),
    Item.LIMIT_AMOUNT: ("提供する", "提供しない"),
}
"""Where the two answers are not simply agree and do not agree."""
PLAIN_ANSWERS = ("同意する", "同意しない")

WITHOUT_STAFF = {
    FailureCode.CANCELLED,
    FailureCode.ANSWER_TIMED_OUT,
    FailureCode.CARD_UNREADABLE,
    FailureCode.CARD_WRONG,
    FailureCode.CARD_STALLED,
    FailureCode.CARD_SWAPPED,
}
"""Ends of a visit after which the patient can start again without staff."""

_PREFIXES = "おご"


def _phrases(text: str) -> list[str]:
    """Cut a Japanese sentence where a line may end: after a comma, and before the word after a particle."""
    phrases, current = [], ""
    for here, after in zip(text, text[1:] + " ", strict=True):
        current += here
        particle = here in "はがをにでともてか" and not ("ぁ" <= after <= "ゖ" or after in "ー、。)」")
        if here in "、。" or (particle and len(current) > 1 and here not in _PREFIXES):
            phrases.append(current)
            current = ""
    return [*phrases, current] if current else phrases


def _fill(pieces: list[str], longest: int) -> list[str]:
    """Put pieces on lines of at most ``longest`` characters, in order."""
    done, line = [], ""
    for piece in pieces:
        if line and len(line) + len(piece) > longest:
            done.append(line)
            line = ""
        line += piece
    return [*done, line]


def lines(text: str, longest: int) -> str:
    """Break a text into lines of at most ``longest`` characters: at sentence ends, commas, or else between phrases.

    Qt would break Japanese anywhere, in the middle of words too. A single longer phrase keeps a line of its own.
    """
    done: list[str] = []
    for sentence in text.replace("。", "。\n").splitlines():
        for clause in _fill(sentence.replace("、", "、\n").splitlines(), longest):
            done += _fill(_phrases(clause), longest)
    return "\n".join(done)


def without_not_complete(text: str) -> str:
    """Leave out the sentence "check-in is not complete" where a title above says it already."""
    head = text.removesuffix(NOT_COMPLETE)
    return head if head.endswith("。") else text


def with_card_out(next_step: str) -> str:
    """Leave out "take your card", for a patient who has taken it."""
    for take in ("カードをお取りください。", "カードを一度取り、", "カードを取り、"):
        next_step = next_step.removeprefix(take)
    return next_step
