"""What the patient reads on each screen, in Japanese; official wording where there is one (leaflet of 2023-08).

Every text is one of the catalogues' (N_); line ends are the window's business.
"""

from dataclasses import dataclass
from datetime import datetime

from consent.choices import Item
from hardware.face.guidance import Guidance
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
    Guidance.WHOLE_FACE: N_("お顔全体が、枠に入るようにしてください"),
    Guidance.CLOSER: N_("もう少し、近づいてください"),
    Guidance.FURTHER: N_("もう少し、はなれてください"),
    Guidance.LOOK_STRAIGHT: N_("正面を向いてください"),
    Guidance.HOLD_STILL: N_("そのまま、動かないでください"),
    Guidance.UNCOVER_MOUTH: N_("マスクを、あごの下まで下げてください"),
    Guidance.UNCOVER_EYES: N_("サングラスや帽子を、外してください"),
    Guidance.MOVE_A_LITTLE: N_("お顔を少し、左右に向けてください"),
    Guidance.TURN_LEFT: N_("← ゆっくり、左を向いてください"),
    Guidance.TURN_RIGHT: N_("ゆっくり、右を向いてください →"),
}
"""One short sentence for everything the face gate can ask."""
LOOKING_GOOD = N_("そのまま、お待ちください")


@dataclass(frozen=True)
class Question:
    """What is read of one question: three short facts below the question itself."""

    title: str
    """What the leaflet calls it."""
    asked: str
    """The question."""
    what: str
    who: str
    how_long: str
    name: str
    """What is provided, in a word or two."""


DOCTORS_SEE = N_("医師・薬剤師などが見ます")
FACILITY_SEES = N_("この医療機関・薬局が見ます")
ONE_DAY = N_("今から24時間だけ見られます")
THIS_TIME = N_("今回の受診だけに使います")

QUESTIONS: dict[str, Question] = {
    Item.MEDICATION: Question(
        N_("お薬情報に関する情報提供の同意について"),
        N_("これまでのお薬と診療の情報を、医師・薬剤師に提供しますか。"),
        N_("お薬の名前と、診療の記録"),
        DOCTORS_SEE,
        ONE_DAY,
        N_("お薬と診療の情報"),
    ),
    Item.DIAGNOSIS: Question(
        N_("診療情報の提供について"),
        N_("過去に受けた診療の情報を、医師・薬剤師に提供しますか。"),
        N_("受診した日と、診療の記録"),
        DOCTORS_SEE,
        ONE_DAY,
        N_("診療の情報"),
    ),
    Item.OPERATION: Question(
        N_("手術情報の提供について"),
        N_("過去に受けた手術の情報を、医師・薬剤師に提供しますか。"),
        N_("手術の名前と、受けた日"),
        DOCTORS_SEE,
        ONE_DAY,
        N_("手術の情報"),
    ),
    Item.HEALTH_CHECKUP: Question(
        N_("特定健診情報の提供について"),
        N_("過去に受けた健診の結果を、医師・薬剤師に提供しますか。"),
        N_("40歳からの健診の結果"),
        DOCTORS_SEE,
        ONE_DAY,
        N_("健診の情報"),
    ),
    Item.LIMIT_AMOUNT: Question(
        N_("限度額情報について"),
        N_("限度額情報を提供しますか"),
        N_("お支払いの上限がわかる情報"),
        FACILITY_SEES,
        THIS_TIME,
        N_("限度額の情報"),
    ),
    Item.SPECIFIC_DISEASE: Question(
        N_("特定疾病療養受療証の情報の提供について"),
        N_("特定疾病の情報を、この医療機関・薬局に提供しますか。"),
        N_("治療費の上限がわかる情報"),
        FACILITY_SEES,
        THIS_TIME,
        N_("特定疾病の情報"),
    ),
    Item.RECORD_SHARING: Question(
        N_("電子カルテ情報の提供について"),
        N_("ほかの医療機関の電子カルテの情報を、この医療機関に提供しますか。"),
        N_("病名・感染症・アレルギー・検査・処方などと、紹介状"),
        DOCTORS_SEE,
        ONE_DAY,
        N_("電子カルテの情報"),
    ),
    Item.MEDICAL_SUBSIDY: Question(
        N_("医療費助成の受給者証について"),
        N_("この受給者証を利用しますか。"),
        N_("受給者証のかわりになる情報"),
        FACILITY_SEES,
        THIS_TIME,
        N_("医療費助成の受給者証"),
    ),
}
"""The words of each question, by item."""

CERTIFICATES = (
    N_("1枚目の受給者証"),
    N_("2枚目の受給者証"),
    N_("3枚目の受給者証"),
    N_("4枚目の受給者証"),
)
"""Each certificate of a medical subsidy where there are several. The voice says no more of it: its name may name an
illness, and who waits nearby hears the voice."""
STAYS_ENTITLED = N_("今日利用しなくても、受給者証はこれからも使えます。")

ANSWERS: dict[str, tuple[str, str]] = {
    Item.LIMIT_AMOUNT: (N_("提供する"), N_("提供しない")),
    Item.MEDICAL_SUBSIDY: (N_("利用する"), N_("利用しない")),
}
"""Where the two answers are not simply agree and do not agree."""
OF_ANY_AGE = (N_("同意する"), N_("同意しない・40歳未満"))
"""The leaflet's answers about the checkup, where nobody knows the patient's age."""
PLAIN_ANSWERS = (N_("同意する"), N_("同意しない"))

WITHOUT_STAFF = {
    FailureCode.CANCELLED,
    FailureCode.ANSWER_TIMED_OUT,
    FailureCode.CARD_UNREADABLE,
    FailureCode.CARD_WRONG,
    FailureCode.CARD_TROUBLE,
    FailureCode.CARD_STALLED,
    FailureCode.CARD_SWAPPED,
}
"""Ends of a visit after which the patient can start again without staff."""

OF_THE_PIN = (FailureCode.PIN_WRONG, FailureCode.PIN_ANSWER_LOST, FailureCode.PHONE_MOVED_AFTER_PIN)
"""What is told where the PIN is typed; other failures of the visit do not belong there."""

CHECKED_IN = N_("受付が完了しました")
TAKE_CARD = N_("カードをカードリーダーからお取りください")
PUT_IN = N_("マイナンバーカードをカードリーダーに入れてください")
RIGHT_WAY = N_("ケースから出して、向きを確かめて入れてください。")
STAY = N_("カードは、そのまま入れておいてください。")
PHONE_AWAY = N_("スマートフォンは、しまってもかまいません。")
OTHER_PROGRAM = N_("ほかのプログラムが終わるのを待っています。")
PLEASE_WAIT = N_("そのままお待ちください。")
UNTIL_CALLED = N_("お呼びするまでお待ちください")
GET_WELL = N_("お大事になさってください。")
DO_NOT_FORGET = N_("カードをお忘れなく")
IN_THE_FRAME = N_("画面の枠に顔が収まるようにすると自動的に撮影されます。")
TYPE_PIN = N_("暗証番号を入力してください")
TRIES_LEFT = N_("入力できるのは、残り{count}回です")
PIN_SHORT = N_("暗証番号は、4桁です。")
PIN_MORE = N_("あと{count}桁を押してください。")
ONE_TRY = N_("暗証番号を入力できるのはあと1回です")
THEN_BLOCKED = N_("つぎにまちがえると、暗証番号がロックされます。")
UNBLOCK = N_("解除は、市区町村の窓口でできます。")
LAY_PHONE = N_("スマートフォンを読み取り機にかざしてください")
READING_PHONE = N_("スマートフォンを読み取っています")
PHONE_STILL = N_("そのまま、動かさないでください。")
PHONE_FIRST = N_("iPhoneの画面で本人確認をしてください。")
PHONE_UNTIL_READ = N_("読み終わるまで、動かさないでください。")
WHAT_TO_PROVIDE = N_("医師・薬剤師に提供する情報を選んでください")
CARD_MEANS_NO = N_("カードを取ると、「提供しない」として受付に進みます。")
NEARLY_DONE = N_("あと1問で、受付が完了します。")
STAFF_ON_THE_WAY = N_("係の人を呼んでいます")
STILL_ON = N_("受付は、まだ続いています。")
GO_ON = N_("受付を続ける")
LEAVE = N_("受付をやめる")
BY_SIGHT = N_("係の人がお顔を見て確認する方法もあります。")
ASK_BY_SIGHT = N_("係の人に確認してもらう")
MATCHED = N_("本人確認ができました")
SEND_THIS = N_("この内容で送りますか")
TOUCH_TO_CHANGE = N_("変えるときは、その行を押してください。")
PRESS_TO_CHANGE = N_("変えるときは、その番号を押してください。")
SEND = N_("送る")
BEFORE = N_("前の質問")
AGREED_UNTIL = N_("{day} {time}まで見られます")
TOMORROW = N_("あす")
OUT_OF_USE = N_("ただいま、この機械はご利用いただけません")
ASK_STAFF = N_("受付の係の人に、お声がけください。")
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
    "MATCHED": (MATCHED, PLEASE_WAIT),
    "LEAVE": (N_("受付をやめますか"), N_("やめると、何も送られません。")),
    "SENDING": (N_("受付の内容を送っています"), N_("もう少しお待ちください。")),
    "VISUAL_CHECK": (N_("係の人が確認しています"), PLEASE_WAIT),
    "COMPLETE": (CHECKED_IN, UNTIL_CALLED, GET_WELL),
    "DESK_CLOSED": (N_("ただいま、受付を休止しています"), ASK_STAFF, N_("再開すると、画面が変わります。")),
    "BUNDLE": (N_("情報の提供に、まとめて同意しますか"), DOCTORS_SEE, ONE_DAY),
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
        N_("まず、カードを入れてください。期限が切れてから3か月までは、受付できることがあります。"),
        N_("受付できないときは、係の人を呼んでください。"),
        N_("期限の更新は、市区町村の窓口でできます。"),
    ),
    HelpTopic.LOST: (
        N_("カードやスマートフォンをなくした"),
        N_("すぐに電話をして、使えないように止めてください。"),
        N_("電話番号は、0120-95-0178です。無料で、24時間つながります。"),
        N_("今日の受付は、係の人がします。"),
    ),
    HelpTopic.NO_CARD: (
        N_("今日はカードを持っていない"),
        N_("資格確認書があれば、受付の係の人に見せてください。"),
        N_("ないときも、係の人を呼んでください。"),
    ),
    HelpTopic.CHILD: (
        N_("子どもの受付をする"),
        N_("お子さまのカードを入れてください。"),
        N_("カメラには、お子さまのお顔を写してください。"),
        N_("暗証番号は、保護者の方が入力できます。写真のないカードは、暗証番号で受付します。"),
    ),
    HelpTopic.DECLINED: (
        N_("カードを健康保険証として使いたくない"),
        N_("登録しなくても、受付できます。"),
        N_("資格確認書を、受付の係の人に見せてください。"),
    ),
}
"""For those who cannot go on: what the trouble is called, and what they do now, step by step (the hotline takes
reports of lost cards and phones day and night)."""
HELP |= {
    HelpTopic.SERVICES: (N_("そのほかの手続き"),),
    HelpTopic.RENEW: (
        N_("カードや電子証明書を更新したい"),
        N_("更新は、有効期限の3か月前からできます。"),
        N_("お住まいの市区町村の窓口に、カードを持って行ってください。"),
        N_("くわしくは、QRコードのページを見てください。"),
    ),
    HelpTopic.PHONE_GONE: (
        N_("スマートフォンを売る・修理に出す・なくした"),
        N_("売る前に、マイナポータルで電子証明書を使えなくしてください。修理の前も同じです。"),
        N_("なくしたときは、すぐに電話で止めてください。0120-95-0178です。24時間つながります。"),
        N_("今日は、マイナンバーカードで受付できます。"),
    ),
    HelpTopic.NO_CERTIFICATE: (
        N_("カードに電子証明書が入っていない"),
        N_("電子証明書がないと、この機械では受付できません。"),
        N_("資格確認書を、受付の係の人に見せてください。"),
        N_("電子証明書は、市区町村の窓口で入れられます。"),
    ),
    HelpTopic.ACCOUNT: (
        N_("公金受取口座を登録したい"),
        N_("この機械では、登録できません。"),
        N_("登録は、マイナポータルでします。登録できるのは、本人の口座だけです。"),
        N_("くわしくは、QRコードのページを見てください。"),
    ),
    HelpTopic.POINTS: (
        N_("マイナポイントを申し込みたい"),
        N_("マイナポイント第2弾は、2023年9月30日に終わりました。"),
        N_("いまは、申し込めません。"),
        N_("くわしくは、QRコードのページを見てください。"),
    ),
}
HELP_LINKS: dict[str, str] = {
    HelpTopic.RENEW: "https://www.kojinbango-card.go.jp/",
    HelpTopic.ACCOUNT: "https://www.digital.go.jp/policies/account_registration",
    HelpTopic.POINTS: "https://mynumbercard.point.soumu.go.jp/",
}
"""The official page of a topic, shown as a QR code."""
SERVICES = (
    *(HelpTopic.RENEW, HelpTopic.PHONE_GONE, HelpTopic.NO_CERTIFICATE),
    *(HelpTopic.ACCOUNT, HelpTopic.POINTS),
)
"""The second list: services that others run."""
LISTS = (HelpTopic.LIST, HelpTopic.SERVICES)
_WITH_CARD = (HelpTopic.PIN, HelpTopic.EXPIRED, HelpTopic.CHILD, HelpTopic.DECLINED)
USE_FACE = N_("顔認証にする")


def help_topics(snapshot: Snapshot) -> tuple[HelpTopic, ...]:
    """Return the troubles that one can have now: who has put the card in has not lost it."""
    if snapshot.help == HelpTopic.SERVICES:
        return SERVICES
    if snapshot.visit and snapshot.state != "WAITING":
        return _WITH_CARD
    return tuple(topic for topic in HelpTopic if topic not in (HelpTopic.LIST, *SERVICES))


def advice(snapshot: Snapshot) -> str:
    """Return what is advised against the trouble on the screen HELP: USE_FACE, CALL or GO_ON."""
    topic = snapshot.help
    if topic == HelpTopic.PIN and "face" in snapshot.methods:
        return USE_FACE
    if topic in (HelpTopic.EXPIRED, HelpTopic.CHILD, *SERVICES) and topic != HelpTopic.NO_CERTIFICATE:
        return GO_ON
    if topic == HelpTopic.PIN and snapshot.state == "WAITING":
        return GO_ON
    return CALL


CALL = N_("係の人を呼ぶ")
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


def answers(snapshot: Snapshot) -> tuple[str, str]:
    """Return the two answers to the question that is asked."""
    if snapshot.question == Item.HEALTH_CHECKUP and not snapshot.age_known:
        return OF_ANY_AGE
    return ANSWERS.get(snapshot.question, PLAIN_ANSWERS)


def answer_words(item: str, answer: str) -> str:
    """Return the words of an answer that was given."""
    given, declined = ANSWERS.get(item, PLAIN_ANSWERS)
    return given if answer == "given" else declined


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


def provided(item: str, number: int, snapshot: Snapshot) -> str:
    """Return what an answer is about, in a word or two; of several certificates which one, from 1."""
    several = item == Item.MEDICAL_SUBSIDY and snapshot.subsidy_count > 1
    return CERTIFICATES[number - 1] if several else QUESTIONS[item].name


def scheme(item: str, number: int, snapshot: Snapshot) -> str:
    """Return the name of a certificate as it says it, in whatever language; empty: it is none, or not known here."""
    known = item == Item.MEDICAL_SUBSIDY and 0 < number <= len(snapshot.subsidies)
    return snapshot.subsidies[number - 1] if known else ""


def which_certificate(snapshot: Snapshot) -> str:
    """Return which certificate is asked for; empty where there is only one, or the question is another."""
    several = snapshot.subsidy_count > 1 and snapshot.subsidy_number > 0
    return CERTIFICATES[snapshot.subsidy_number - 1] if several else ""


def question_note(snapshot: Snapshot) -> str:
    """Return what else the patient should know of a question: what the card's removal means, where one is in."""
    if snapshot.question == Item.MEDICAL_SUBSIDY:
        return STAYS_ENTITLED
    return CARD_MEANS_NO if snapshot.screen == "LIMIT_CONSENT" and not snapshot.by_phone else ""


def facts(snapshot: Snapshot) -> tuple[str, str, str]:
    """Return what is provided, who sees it and for how long."""
    question = QUESTIONS[snapshot.question]
    return question.what, question.who, question.how_long


def time_left(snapshot: Snapshot, t: Catalogue) -> str:
    """Say how long the wait still lasts, and what its end means; empty while there is time."""
    seconds = snapshot.seconds_left
    if seconds is None:
        return ""
    if snapshot.screen == "PRESCRIPTION":
        return t(N_("操作がないため、あと{seconds}秒で、選ばずに進みます"), seconds=seconds)
    if snapshot.screen == "SUMMARY":
        return t(N_("操作がないため、あと{seconds}秒で、このまま送ります"), seconds=seconds)
    if answer := answer_at_end(snapshot):
        told = N_("操作がないため、あと{seconds}秒で「{answer}」になります")
        return t(told, seconds=seconds, answer=t(answer))
    if snapshot.state == "ATTRIBUTE_SIGN":
        return t(N_("操作がないため、あと{seconds}秒で、同意しないで終わります"), seconds=seconds)
    if snapshot.state == "WAITING":
        return t(N_("操作がないため、あと{seconds}秒で、はじめの画面にもどります"), seconds=seconds)
    return t(N_("操作がないため、あと{seconds}秒で受付をやめます"), seconds=seconds)


def time_alone(snapshot: Snapshot, t: Catalogue) -> str:
    """Say how long the wait still lasts, where there is no room for more."""
    seconds = snapshot.seconds_left
    return "" if seconds is None else t(N_("あと{seconds}秒"), seconds=seconds)


def answer_at_end(snapshot: Snapshot) -> str:
    """Return the answer that the end of the wait gives; empty where it gives none."""
    if snapshot.screen == "CARD_USE_OFFER":
        return DO_NOT_REGISTER
    if snapshot.screen == "ATTRIBUTE_OFFER":
        return PLAIN_ANSWERS[1]
    if snapshot.screen not in ("CONSENT", "LIMIT_CONSENT"):
        return ""
    return ANSWERS.get(snapshot.question, PLAIN_ANSWERS)[1]


def agreed_for_a_day(snapshot: Snapshot) -> bool:
    """Say whether anything was agreed to that may be looked at for a day; some things are for this time only."""
    return any(answer == "given" and QUESTIONS[item].how_long == ONE_DAY for item, answer in snapshot.answers)


def until(snapshot: Snapshot, t: Catalogue) -> str:
    """Say until when what was agreed may be looked at; empty where that is not known, or nothing was agreed."""
    if not snapshot.until or not agreed_for_a_day(snapshot):
        return ""
    moment = datetime.fromisoformat(snapshot.until)
    return t(AGREED_UNTIL, day=t(TOMORROW), time=f"{moment:%H:%M}")
