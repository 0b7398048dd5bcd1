"""What the patient reads on each screen, in Japanese; official wording where there is one (leaflet of 2023-08).

Every text is one of the catalogues' (N_); line ends are the window's business.
"""

from consent.choices import Item
from hardware.face.policy import Guidance
from reception.flow import HelpTopic, Method, StaffText
from reception.flow.failures import FailureCode
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue
from reception.texts.failures import FAILURES, NOT_COMPLETE, TAKE
from reception.texts.lines import flowed

STEPS = (N_("読み取り"), N_("本人確認"), N_("同意取得"), N_("受付完了"))
STEP_NUMBERS = {"READ": 1, "IDENTITY": 2, "CONSENT": 3, "COMPLETE": 4}

GUIDANCE = {
    Guidance.NO_FACE: N_("枠の中に、お顔を入れてください"),
    Guidance.ONE_PERSON: N_("お一人ずつ、写ってください"),
    Guidance.MORE_LIGHT: N_("暗いため、明るい方を向いてください"),
    Guidance.LESS_LIGHT: N_("明るすぎるため、光をさけてください"),
    Guidance.CLOSER: N_("もう少し、近づいてください"),
    Guidance.FURTHER: N_("もう少し、はなれてください"),
    Guidance.LOOK_STRAIGHT: N_("正面を向いてください"),
    Guidance.HOLD_STILL: N_("そのまま、動かないでください"),
    Guidance.UNCOVER_MOUTH: N_("マスクを、外してください"),
    Guidance.UNCOVER_EYES: N_("サングラスや帽子を、外してください"),
    Guidance.MOVE_A_LITTLE: N_("お顔を少し、左右に向けてください"),
    Guidance.TURN_LEFT: N_("← ゆっくり、左を向いてください"),
    Guidance.TURN_RIGHT: N_("ゆっくり、右を向いてください →"),
    Guidance.BLINK: N_("ゆっくり、まばたきをしてください"),
}
"""One short sentence for everything the face gate can ask."""
LOOKING_GOOD = N_("そのまま、お待ちください")

QUESTIONS: dict[str, tuple[str, str]] = {
    Item.MEDICATION: (
        N_("お薬情報に関する情報提供の同意について"),
        N_("これまでのお薬と診療の情報を、医師・薬剤師に提供しますか。"),
    ),
    Item.DIAGNOSIS: (
        N_("診療情報の提供について"),
        N_("過去に受けた診療の情報を、医師・薬剤師に提供しますか。"),
    ),
    Item.OPERATION: (
        N_("手術情報の提供について"),
        N_("過去に受けた手術の情報を、医師・薬剤師に提供しますか。"),
    ),
    Item.HEALTH_CHECKUP: (
        N_("特定健診情報の提供について"),
        N_("過去に受けた健診の結果を、医師・薬剤師に提供しますか。(40歳以上の方が対象です)"),
    ),
    Item.LIMIT_AMOUNT: (
        N_("限度額情報を提供しますか"),
        N_("窓口でのお支払いの上限を確認するための情報です。"),
    ),
    Item.SPECIFIC_DISEASE: (
        N_("特定疾病療養受療証の情報の提供について"),
        N_("特定疾病の情報を、この医療機関・薬局に提供しますか。"),
    ),
    Item.MEDICAL_SUBSIDY: (
        N_("医療費助成の情報の提供について"),
        N_("医療費助成の受給者証の情報を、この医療機関・薬局に提供しますか。"),
    ),
}
"""Heading and explanation of each question, by item."""

ANSWERS: dict[str, tuple[str, str]] = {
    Item.HEALTH_CHECKUP: (N_("同意する"), N_("同意しない・40歳未満")),
    Item.LIMIT_AMOUNT: (N_("提供する"), N_("提供しない")),
}
"""Where the two answers are not simply agree and do not agree."""
PLAIN_ANSWERS = (N_("同意する"), N_("同意しない"))

WITHOUT_STAFF = {
    FailureCode.CANCELLED,
    FailureCode.ANSWER_TIMED_OUT,
    FailureCode.CARD_UNREADABLE,
    FailureCode.CARD_WRONG,
    FailureCode.CARD_STALLED,
    FailureCode.CARD_SWAPPED,
}
"""Ends of a visit after which the patient can start again without staff."""

CHECKED_IN = N_("受付が完了しました")
TAKE_CARD = N_("カードをカードリーダーからお取りください")
PUT_IN = N_("マイナンバーカードをカードリーダーに入れてください")
RIGHT_WAY = N_("ケースから出して、向きを確かめて入れてください。")
STAY = N_("カードは、そのまま入れておいてください。")
PHONE_AWAY = N_("スマートフォンは、しまってもかまいません。")
PLEASE_WAIT = N_("そのままお待ちください。")
UNTIL_CALLED = N_("お呼びするまでお待ちください")
GET_WELL = N_("お大事になさってください。")
DO_NOT_FORGET = N_("カードをお忘れなく")
IN_THE_FRAME = N_("画面の枠に顔が収まるようにすると自動的に撮影されます。")
TYPE_PIN = N_("暗証番号を入力してください")
TRIES_LEFT = N_("残り{count}回")
ONE_TRY = N_("暗証番号を入力できるのはあと1回です")
THEN_BLOCKED = N_("つぎにまちがえると、暗証番号がロックされます。")
UNBLOCK = N_("解除は、市区町村の窓口でできます。")
LAY_PHONE = N_("スマートフォンを読み取り機にかざしてください")
READING_PHONE = N_("スマートフォンを読み取っています")
PHONE_STILL = N_("そのまま、動かさないでください。")
PHONE_FIRST = N_("iPhoneの画面で本人確認をしてください。")
PHONE_UNTIL_READ = N_("読み終わるまで、動かさないでください。")
WHAT_TO_PROVIDE = N_("医師・薬剤師に提供する情報を選んでください")
ONE_DAY = N_("医師・薬剤師が見られるのは、今から24時間だけです。")
CARD_MEANS_NO = N_("カードを取ると、「提供しない」として受付に進みます。")
STAFF_ON_THE_WAY = N_("係の人を呼んでいます")
OUT_OF_USE = N_("ただいま、この機械はご利用いただけません")
ASK_STAFF = N_("受付の係に、お声がけください。")
TAKE_IF_IN = N_("カードが入っていれば、お取りください。")

OTHER_WAY = N_("ほかの方法にする")
USE_PHONE = N_("スマートフォンを使う")
FACE = N_("顔認証")
PIN = N_("暗証番号")
TYPE_LAST = N_("暗証番号を入力する")
AGREE_TO_ALL = N_("すべて同意する")
ONE_BY_ONE = N_("一つずつ選ぶ")
DECLINE_ALL = N_("すべて同意しない")
ELECTRONIC = N_("電子処方箋")
PAPER = N_("紙の処方箋")
REGISTER = N_("登録する")
DO_NOT_REGISTER = N_("登録しない")
GO_BACK = N_("もどる")

STILL: dict[str, tuple[str, ...]] = {
    "READING": (N_("カードを読み取っています"),),
    "CHECKING": (N_("健康保険の資格を確認しています"),),
    "SENDING": (N_("受付の内容を送っています"), N_("もう少しお待ちください。")),
    "VISUAL_CHECK": (N_("係の人が確認しています"), PLEASE_WAIT),
    "COMPLETE": (CHECKED_IN, UNTIL_CALLED, GET_WELL),
    "DESK_CLOSED": (N_("ただいま、受付を休止しています"), ASK_STAFF, N_("再開すると、画面が変わります。")),
    "BUNDLE": (N_("情報の提供に、まとめて同意しますか"), ONE_DAY),
    "PRESCRIPTION": (N_("処方箋の形を選んでください"), N_("電子処方箋では、薬局でカードを使います。")),
    "CARD_USE_OFFER": (
        N_("このカードを、健康保険証として使えるように登録しますか"),
        N_("登録は、はじめの一度だけです。"),
        N_("登録しないと、この機械では受付できません。"),
    ),
}
"""Screens that always say the same: heading and sentences."""

IN_TROUBLE = N_("こまったとき")
HELP: dict[str, tuple[str, ...]] = {
    HelpTopic.LIST: (N_("どうしましたか"),),
    HelpTopic.PIN: (
        N_("暗証番号を忘れた・ロックされた"),
        N_("暗証番号がなくても、顔認証で受付できます。"),
        N_("顔認証ができないときは、係の人がお顔を確認します。"),
        N_("暗証番号は、市区町村の窓口で新しくできます。"),
    ),
    HelpTopic.EXPIRED: (
        N_("カードの期限が切れた"),
        N_("まず、カードを入れてください。"),
        N_("期限が切れてから3か月までは、受付できることがあります。"),
        N_("受付できないときは、係の人を呼んでください。"),
        N_("期限の更新は、市区町村の窓口でできます。"),
    ),
    HelpTopic.LOST: (
        N_("カードやスマートフォンをなくした"),
        N_("すぐに電話をして、使えないように止めてください。"),
        N_("電話番号は、0120-95-0178です。"),
        N_("電話は無料で、24時間つながります。"),
        N_("今日の受付は、係の人がします。"),
    ),
    HelpTopic.NO_CARD: (
        N_("今日はカードを持っていない"),
        N_("資格確認書があれば、受付の係に見せてください。"),
        N_("ないときも、係の人を呼んでください。"),
    ),
    HelpTopic.CHILD: (
        N_("子どもの受付をする"),
        N_("お子さまのカードを入れてください。"),
        N_("カメラには、お子さまのお顔を写してください。"),
        N_("暗証番号は、保護者の方が入力できます。"),
        N_("写真のないカードは、暗証番号で受付します。"),
    ),
    HelpTopic.DECLINED: (
        N_("カードを健康保険証として使いたくない"),
        N_("登録しなくても、受付できます。"),
        N_("資格確認書を、受付の係に見せてください。"),
    ),
}
"""For those who cannot go on: what the trouble is called, and what they do now (the hotline takes reports of lost cards
and phones day and night)."""
NOTICES = {
    "expires-soon": N_("カードの電子証明書の期限が近づいています。市区町村の窓口で更新してください。"),
    "grace": N_(
        "カードの電子証明書の期限が切れています。まもなく使えなくなります。市区町村の窓口で更新してください。"
    ),
}
"""What the patient should know of the certificate, by Snapshot.notice."""

STAFF_TEXTS = {
    StaffText.COMING: N_("係の者が参ります。そのままお待ちください。"),
    StaffText.COME: N_("受付の窓口までお越しください。"),
    StaffText.USE_PIN: N_("暗証番号でも受付できます。"),
    StaffText.INSERT_AGAIN: N_("カードを一度抜いて、もう一度入れてください。"),
    StaffText.NO_HURRY: N_("ゆっくり操作していただいて大丈夫です。"),
}
"""What the patient reads, by text that staff can show."""


def lines(text: str, longest: int) -> str:
    """Break a text into lines of at most ``longest`` characters, between phrases."""
    return "\n".join(flowed(text, longest, len))


def failure_texts(snapshot: Snapshot, t: Catalogue) -> tuple[str, str]:
    """Return what happened and what to do next; empty texts when nothing failed."""
    if not snapshot.failure:
        return "", ""
    failure = FAILURES[snapshot.failure]
    take = TAKE if failure.take and snapshot.card_in else ""
    what = t.joined(t(failure.what), t(NOT_COMPLETE) if failure.ends else "")
    return what, t.joined(t(take), t(failure.next_step))


def answers(question: str) -> tuple[str, str]:
    """Return the two answers to a question."""
    return ANSWERS.get(question, PLAIN_ANSWERS)


def which_way(snapshot: Snapshot) -> str:
    """Return what is to be chosen in METHOD_CHOICE."""
    if snapshot.by_phone:
        return N_("スマートフォンの種類を選んでください")
    if {Method.FACE, Method.PIN} <= set(snapshot.methods):
        return N_("顔認証または暗証番号のどちらかを選んでください")
    return N_("本人確認の方法を選んでください")


def guidance(snapshot: Snapshot) -> str:
    """Return what the patient does for the camera."""
    asked = snapshot.guidance
    return GUIDANCE[Guidance(asked)] if asked else LOOKING_GOOD


def question_note(snapshot: Snapshot) -> str:
    """Return what else the patient should know of a question; there is none where no card can be taken."""
    if snapshot.screen == "CONSENT":
        return ONE_DAY
    return "" if snapshot.by_phone else CARD_MEANS_NO


def time_left(snapshot: Snapshot, t: Catalogue) -> str:
    """Say how long the wait still lasts, and what its end means; empty while there is time."""
    seconds = snapshot.seconds_left
    if seconds is None:
        return ""
    if snapshot.screen == "PRESCRIPTION":
        return t(N_("あと{seconds}秒で、選ばずに進みます"), seconds=seconds)
    if answer := answer_at_end(snapshot):
        return t(N_("あと{seconds}秒で「{answer}」になります"), seconds=seconds, answer=t(answer))
    return t(N_("あと{seconds}秒で終わります"), seconds=seconds)


def answer_at_end(snapshot: Snapshot) -> str:
    """Return the answer that the end of the wait gives; empty where it gives none."""
    if snapshot.screen == "CARD_USE_OFFER":
        return DO_NOT_REGISTER
    if snapshot.screen not in ("CONSENT", "LIMIT_CONSENT"):
        return ""
    return ANSWERS[Item.LIMIT_AMOUNT][1] if snapshot.question is Item.LIMIT_AMOUNT else PLAIN_ANSWERS[1]
