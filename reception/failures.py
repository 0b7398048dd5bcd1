"""Every way a visit can fail: what the patient reads and does next, and what staff can do about it."""

from dataclasses import dataclass
from enum import StrEnum


class FailureCode(StrEnum):
    """Why a visit, or one step of it, did not go on; named STATE_CAUSE or PART_CAUSE."""

    READING_CARD_REMOVED = "READING_CARD_REMOVED"
    METHOD_CHOICE_CARD_REMOVED = "METHOD_CHOICE_CARD_REMOVED"
    FACE_MATCH_CARD_REMOVED = "FACE_MATCH_CARD_REMOVED"
    PIN_ENTRY_CARD_REMOVED = "PIN_ENTRY_CARD_REMOVED"
    CHECKING_CARD_REMOVED = "CHECKING_CARD_REMOVED"
    CONSENT_CARD_REMOVED = "CONSENT_CARD_REMOVED"
    CARD_USE_OFFER_CARD_REMOVED = "CARD_USE_OFFER_CARD_REMOVED"
    VISUAL_CHECK_CARD_REMOVED = "VISUAL_CHECK_CARD_REMOVED"

    CARD_UNREADABLE = "CARD_UNREADABLE"
    CARD_WRONG = "CARD_WRONG"
    CARD_STALLED = "CARD_STALLED"
    CARD_SWAPPED = "CARD_SWAPPED"
    READER_LOST = "READER_LOST"
    READER_BUSY = "READER_BUSY"
    READER_SERVICE_DOWN = "READER_SERVICE_DOWN"

    PHONE_MOVED = "PHONE_MOVED"
    PHONE_MOVED_AFTER_PIN = "PHONE_MOVED_AFTER_PIN"
    PHONE_WRONG_KIND = "PHONE_WRONG_KIND"
    PHONE_UNREADABLE = "PHONE_UNREADABLE"
    PHONE_PIN_BLOCKED = "PHONE_PIN_BLOCKED"
    PHONE_ON_CARD_READER = "PHONE_ON_CARD_READER"
    PHONE_READER_LOST = "PHONE_READER_LOST"
    CARD_ON_PHONE_READER = "CARD_ON_PHONE_READER"

    FACE_NOT_MATCHED = "FACE_NOT_MATCHED"
    FACE_NOT_SEEN = "FACE_NOT_SEEN"
    FACE_PHOTO_SUSPECTED = "FACE_PHOTO_SUSPECTED"
    FACE_CHALLENGE_FAILED = "FACE_CHALLENGE_FAILED"
    FACE_PHOTO_UNUSABLE = "FACE_PHOTO_UNUSABLE"
    FACE_CAMERA_LOST = "FACE_CAMERA_LOST"
    FACE_ENGINE_LOST = "FACE_ENGINE_LOST"
    PIN_WRONG = "PIN_WRONG"
    PIN_BLOCKED = "PIN_BLOCKED"
    NO_METHOD_LEFT = "NO_METHOD_LEFT"
    VISUAL_REFUSED = "VISUAL_REFUSED"
    VISUAL_WITHOUT_PHOTO = "VISUAL_WITHOUT_PHOTO"

    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_REVOKED = "CERTIFICATE_REVOKED"
    CERTIFICATE_UNCONFIRMED = "CERTIFICATE_UNCONFIRMED"
    IDENTITY_REFUSED = "IDENTITY_REFUSED"
    CARD_USE_DECLINED = "CARD_USE_DECLINED"
    INSURANCE_INVALID = "INSURANCE_INVALID"
    INSURANCE_NOT_FOUND = "INSURANCE_NOT_FOUND"
    INSURANCE_AMBIGUOUS = "INSURANCE_AMBIGUOUS"

    SERVER_UNREACHABLE = "SERVER_UNREACHABLE"
    SERVER_TIMED_OUT = "SERVER_TIMED_OUT"
    SERVER_BAD_ANSWER = "SERVER_BAD_ANSWER"
    TERMINAL_NOT_ENROLLED = "TERMINAL_NOT_ENROLLED"

    ANSWER_TIMED_OUT = "ANSWER_TIMED_OUT"
    CANCELLED = "CANCELLED"
    STAFF_CALLED = "STAFF_CALLED"
    TERMINAL_FAULT = "TERMINAL_FAULT"


@dataclass(frozen=True)
class Failure:
    """The words for one failure, in plain Japanese."""

    patient: str
    """What happened, for the patient."""
    next_step: str
    """What the patient does now."""
    staff: str
    """What staff can do about it."""


_PUT_IN_AGAIN = "もう一度、カードを入れてください。"
_TAKE_AND_ASK = "カードを取り、受付の係にお声がけください。"
_CHOOSE_AGAIN = "もう一度ためすか、ほかの方法を選んでください。"
_STAFF_NOT_CHECKED_IN = "受付は未完了です。患者にもう一度カードを入れてもらってください。"
_STAFF_SERVER = "ネットワークと資格確認サーバーの状態を確認し、復旧まで通常の窓口受付で対応してください。"


def _removed(doing: str) -> Failure:
    return Failure(
        f"{doing}カードが抜かれたため、受付は完了していません。", _PUT_IN_AGAIN, _STAFF_NOT_CHECKED_IN
    )


FAILURES: dict[FailureCode, Failure] = {
    FailureCode.READING_CARD_REMOVED: _removed("読み取り中に"),
    FailureCode.METHOD_CHOICE_CARD_REMOVED: _removed("本人確認の前に"),
    FailureCode.FACE_MATCH_CARD_REMOVED: _removed("顔認証の途中で"),
    FailureCode.PIN_ENTRY_CARD_REMOVED: _removed("暗証番号の入力中に"),
    FailureCode.CHECKING_CARD_REMOVED: _removed("資格の確認中に"),
    FailureCode.CONSENT_CARD_REMOVED: _removed("同意の途中で"),
    FailureCode.CARD_USE_OFFER_CARD_REMOVED: _removed("利用登録の前に"),
    FailureCode.VISUAL_CHECK_CARD_REMOVED: _removed("係の確認の途中で"),
    FailureCode.CARD_UNREADABLE: Failure(
        "カードを読み取れませんでした。",
        "カードを一度取り、ケースから出して、向きを確かめて入れ直してください。",
        "カードケース、向き、汚れを確認してください。続く場合は窓口で資格確認書などにより受け付けてください。",
    ),
    FailureCode.CARD_WRONG: Failure(
        "このカードは、マイナンバーカードではありません。",
        "カードを取り、マイナンバーカードを入れてください。",
        "住民基本台帳カードや他のICカードは使えません。マイナンバーカードをお持ちか確認してください。",
    ),
    FailureCode.CARD_STALLED: Failure(
        "カードからの返事がありません。",
        "カードを一度取り、もう一度入れてください。",
        "カードリーダーの電源と接続を確認してください。復旧すると自動で受付を再開します。",
    ),
    FailureCode.CARD_SWAPPED: Failure(
        "途中で別のカードに替わったため、受付は完了していません。",
        "カードを一度取り、ご本人のカードを入れてください。",
        "カードの入れ替わりを検知しました。本人のカードで最初からやり直してもらってください。",
    ),
    FailureCode.READER_LOST: Failure(
        "カードリーダーに接続できません。受付は完了していません。",
        "受付の係にお声がけください。",
        "カードリーダーのケーブルを確認してください。つながると自動で再開します。",
    ),
    FailureCode.READER_BUSY: Failure(
        "カードリーダーをほかのプログラムが使っています。",
        "受付の係にお声がけください。",
        "カードリーダーを使うほかのプログラムを終了してください。",
    ),
    FailureCode.READER_SERVICE_DOWN: Failure(
        "カードリーダーに接続できません。受付は完了していません。",
        "受付の係にお声がけください。",
        "PC/SCサービス(pcscd)を起動してください。起動すると自動で再開します。",
    ),
    FailureCode.PHONE_MOVED: Failure(
        "スマートフォンが、読み取りの途中で離れました。",
        "もう一度、スマートフォンをかざしてください。",
        "読み取りが終わるまで、スマートフォンを動かさずに置くようご案内ください。",
    ),
    FailureCode.PHONE_MOVED_AFTER_PIN: Failure(
        "スマートフォンが、読み取りの途中で離れました。",
        "暗証番号を、もう一度入力してください。",
        "読み取りが終わるまで、スマートフォンを動かさずに置くようご案内ください。番号は尋ねないでください。",
    ),
    FailureCode.PHONE_WRONG_KIND: Failure(
        "選んだ種類とちがうスマートフォンです。",
        "「ほかの方法にする」から、種類を選び直してください。",
        "iPhoneかAndroidかを選び直すようご案内ください。",
    ),
    FailureCode.PHONE_UNREADABLE: Failure(
        "スマートフォンを読み取れませんでした。",
        "スマートフォンの画面で準備をして、もう一度かざしてください。",
        "スマホ用電子証明書が登録され、画面ロックが解除されているか確認し、難しければカードをご案内ください。",
    ),
    FailureCode.PHONE_PIN_BLOCKED: Failure(
        "スマートフォンの暗証番号がロックされています。受付は完了していません。",
        "カードを入れるか、受付の係にお声がけください。",
        "カードか資格確認書で受け付けてください。ロックの解除はスマートフォンの発行元の案内に従います。",
    ),
    FailureCode.PHONE_ON_CARD_READER: Failure(
        "スマートフォンは、カードの場所では読み取れません。",
        "スマートフォンを離し、「スマートフォンを使う」を選んでください。",
        "スマートフォン用の読み取り機をご案内ください。",
    ),
    FailureCode.PHONE_READER_LOST: Failure(
        "スマートフォンを読み取る機械が使えません。受付は完了していません。",
        "カードを入れるか、受付の係にお声がけください。",
        "スマートフォン用の読み取り機のケーブルを確認してください。つながると自動で使えるようになります。",
    ),
    FailureCode.CARD_ON_PHONE_READER: Failure(
        "ここは、スマートフォン用の場所です。",
        "カードは、カードリーダーに入れてください。",
        "カードはカードリーダーに入れるようご案内ください。",
    ),
    FailureCode.FACE_NOT_MATCHED: Failure(
        "カードの写真と同じ方か、確認できませんでした。",
        _CHOOSE_AGAIN,
        "暗証番号、または目視確認をご案内ください。顔認証の失敗は本人でないことを意味しません。",
    ),
    FailureCode.FACE_NOT_SEEN: Failure(
        "お顔をはっきり写せませんでした。",
        "明るい向きで正面を見て、もう一度ためすか、ほかの方法を選んでください。",
        "マスク、逆光、カメラとの距離を確認し、難しければ暗証番号か目視確認をご案内ください。",
    ),
    FailureCode.FACE_PHOTO_SUSPECTED: Failure(
        "カメラの前のお顔を、確認できませんでした。",
        "お顔を少し左右に向けながらもう一度ためすか、ほかの方法を選んでください。",
        "写真が写された可能性があります。動かずにいただけのこともあります。患者を見て、目視確認か暗証番号をご案内ください。",
    ),
    FailureCode.FACE_CHALLENGE_FAILED: Failure(
        "お顔の動きを、確認できませんでした。",
        _CHOOSE_AGAIN,
        "左右を向く、まばたきの順が画面の案内と違ったか、間に合いませんでした。暗証番号か目視確認もご案内できます。",
    ),
    FailureCode.FACE_PHOTO_UNUSABLE: Failure(
        "カードの写真を使えませんでした。",
        "ほかの方法を選んでください。",
        "このカードでは顔認証できません。暗証番号か目視確認をご案内ください。",
    ),
    FailureCode.FACE_CAMERA_LOST: Failure(
        "カメラが使えません。",
        "ほかの方法を選んでください。",
        "カメラの接続を確認してください。つながると自動で使えるようになります。",
    ),
    FailureCode.FACE_ENGINE_LOST: Failure(
        "顔認証を続けられませんでした。",
        _CHOOSE_AGAIN,
        "顔認証の処理が止まったため再起動しました。繰り返す場合は保守に連絡してください。",
    ),
    FailureCode.PIN_WRONG: Failure(
        "暗証番号がちがいます。",
        "もう一度入力するか、ほかの方法を選んでください。",
        "番号を尋ねたり、代わりに入力したりしないでください。顔認証もご案内できます。",
    ),
    FailureCode.PIN_BLOCKED: Failure(
        "暗証番号がロックされています。",
        "ほかの方法を選んでください。ロックの解除は市区町村の窓口でできます。",
        "顔認証か目視確認をご案内ください。解除は市区町村の窓口のほか、コンビニとアプリでもできます。",
    ),
    FailureCode.NO_METHOD_LEFT: Failure(
        "この機械では本人確認ができませんでした。受付は完了していません。",
        _TAKE_AND_ASK,
        "目視確認、または資格確認書などで受け付けてください。",
    ),
    FailureCode.VISUAL_REFUSED: Failure(
        "係の確認では、本人確認ができませんでした。",
        "ほかの方法を選んでください。",
        "暗証番号か顔認証をご案内ください。難しければ資格確認書などで受け付けてください。",
    ),
    FailureCode.VISUAL_WITHOUT_PHOTO: Failure(
        "このカードには、確認に使える写真がありません。",
        "ほかの方法を選んでください。",
        "写真のないカードでは目視確認はできません。暗証番号をご案内ください。",
    ),
    FailureCode.CARD_USE_DECLINED: Failure(
        "カードを健康保険証として使う登録をしませんでした。受付は完了していません。",
        _TAKE_AND_ASK,
        "利用登録を希望されませんでした。資格確認書などで受け付けてください。",
    ),
    FailureCode.CERTIFICATE_EXPIRED: Failure(
        "カードの電子証明書の有効期限が切れています。受付は完了していません。",
        "カードを取り、受付の係にお声がけください。更新は市区町村の窓口でできます。",
        "資格確認書などで受け付け、市区町村での更新をご案内ください。",
    ),
    FailureCode.CERTIFICATE_REVOKED: Failure(
        "カードの電子証明書が使えなくなっています。受付は完了していません。",
        "カードを取り、受付の係にお声がけください。手続きは市区町村の窓口でできます。",
        "失効した証明書です。資格確認書などで受け付け、市区町村での手続きをご案内ください。",
    ),
    FailureCode.CERTIFICATE_UNCONFIRMED: Failure(
        "カードの電子証明書を確認できませんでした。受付は完了していません。",
        _TAKE_AND_ASK,
        "証明書が一時停止中か、状態が不明です。資格確認書などで受け付けてください。",
    ),
    FailureCode.IDENTITY_REFUSED: Failure(
        "本人確認の結果が受け付けられませんでした。受付は完了していません。",
        _TAKE_AND_ASK,
        "もう一度カードを入れてもらい、続く場合は端末の登録と時計を確認してください。",
    ),
    FailureCode.INSURANCE_INVALID: Failure(
        "健康保険の資格を確認できませんでした。受付は完了していません。",
        _TAKE_AND_ASK,
        "資格が無効です。新しい保険の有無を患者に確認してください。",
    ),
    FailureCode.INSURANCE_NOT_FOUND: Failure(
        "健康保険の資格が見つかりませんでした。受付は完了していません。",
        _TAKE_AND_ASK,
        "該当する資格がありません。資格確認書などで確認してください。",
    ),
    FailureCode.INSURANCE_AMBIGUOUS: Failure(
        "健康保険の資格を一つに決められませんでした。受付は完了していません。",
        _TAKE_AND_ASK,
        "複数の資格があります。患者に保険者を確認してください。",
    ),
    FailureCode.SERVER_UNREACHABLE: Failure(
        "ただいま資格を確認できません。受付は完了していません。", _TAKE_AND_ASK, _STAFF_SERVER
    ),
    FailureCode.SERVER_TIMED_OUT: Failure(
        "資格の確認に時間がかかりすぎています。受付は完了していません。", _TAKE_AND_ASK, _STAFF_SERVER
    ),
    FailureCode.SERVER_BAD_ANSWER: Failure(
        "資格を正しく確認できませんでした。受付は完了していません。", _TAKE_AND_ASK, _STAFF_SERVER
    ),
    FailureCode.TERMINAL_NOT_ENROLLED: Failure(
        "この機械は、まだ使えるように登録されていません。",
        _TAKE_AND_ASK,
        "この端末を資格確認サーバーに登録してください。",
    ),
    FailureCode.ANSWER_TIMED_OUT: Failure(
        "操作がなかったため、受付は完了していません。",
        "カードを取り、もう一度入れてください。",
        _STAFF_NOT_CHECKED_IN,
    ),
    FailureCode.CANCELLED: Failure(
        "受付をやめました。受付は完了していません。",
        "カードをお取りください。続けるときは、もう一度カードを入れてください。",
        "患者が取り消しました。必要なら声をかけてください。",
    ),
    FailureCode.STAFF_CALLED: Failure(
        "係の人を呼んでいます。受付は完了していません。",
        "そのままお待ちください。",
        "患者が呼んでいます。端末までおいでください。",
    ),
    FailureCode.TERMINAL_FAULT: Failure(
        "機械の中で問題が起きました。受付は完了していません。",
        _TAKE_AND_ASK,
        "端末の記録(ログ)を保守に送ってください。次の患者は受け付けられます。",
    ),
}
"""One entry for every code; a test counts them."""

CARD_REMOVED_WHILE = {
    code.removesuffix("_CARD_REMOVED"): code for code in FailureCode if code.endswith("_CARD_REMOVED")
}
"""The failure of pulling the card, by the name of the state in which it was pulled."""
