"""The words for every failure: what the patient reads and does next, and what staff can do about it."""

from dataclasses import dataclass

from reception.flow.failures import FailureCode
from reception.texts import N_


@dataclass(frozen=True)
class Failure:
    """The words for one failure, in plain Japanese; those of the patient are in every catalogue."""

    what: str
    """What happened, for the patient."""
    next_step: str
    """What the patient does now."""
    staff: str
    """What staff can do about it."""
    ends: bool = False
    """The visit is over; that it is not complete is said after what happened."""
    take: bool = False
    """A card that is still in is taken before anything else."""

    @property
    def patient(self) -> str:
        """What happened, and whether that was the end of the visit."""
        return self.what + (NOT_COMPLETE if self.ends else "")


NOT_COMPLETE = N_("受付は完了していません。")
TAKE = N_("カードをお取りください。")

_PUT_IN_AGAIN = N_("もう一度、カードを入れてください。")
_ASK = N_("受付の係の人にお声がけください。")
_CHOOSE_AGAIN = N_("もう一度ためすか、ほかの方法を選んでください。")
_AT_THE_MUNICIPALITY = N_("受付の係の人にお声がけください。手続きは市区町村の窓口でできます。")
_OTHER_WAY = N_("ほかの方法を選んでください。")
_PHOTO_UNPROVEN = N_("カードの写真が本物か、確認できませんでした。")
_STAFF_NOT_CHECKED_IN = "受付は未完了です。患者にもう一度カードを入れてもらってください。"
_STAFF_SERVER = "ネットワークと資格確認サーバーの状態を確認し、復旧まで通常の窓口受付で対応してください。"


def _removed(what: str) -> Failure:
    return Failure(what, _PUT_IN_AGAIN, _STAFF_NOT_CHECKED_IN, ends=True)


FAILURES: dict[FailureCode, Failure] = {
    FailureCode.READING_CARD_REMOVED: _removed(N_("読み取り中にカードが抜かれました。")),
    FailureCode.METHOD_CHOICE_CARD_REMOVED: _removed(N_("本人確認の前にカードが抜かれました。")),
    FailureCode.FACE_MATCH_CARD_REMOVED: _removed(N_("顔認証の途中でカードが抜かれました。")),
    FailureCode.PIN_ENTRY_CARD_REMOVED: _removed(N_("暗証番号の入力中にカードが抜かれました。")),
    FailureCode.CHECKING_CARD_REMOVED: _removed(N_("資格の確認中にカードが抜かれました。")),
    FailureCode.CONSENT_CARD_REMOVED: _removed(N_("同意の途中でカードが抜かれました。")),
    FailureCode.CARD_USE_OFFER_CARD_REMOVED: _removed(N_("利用登録の前にカードが抜かれました。")),
    FailureCode.VISUAL_CHECK_CARD_REMOVED: _removed(N_("係の人の確認の途中で、カードが抜かれました。")),
    FailureCode.CARD_UNREADABLE: Failure(
        N_("カードを読み取れませんでした。"),
        N_("ケースから出して、向きを確かめて入れ直してください。"),
        "カードケース、向き、汚れを確認してください。続く場合は窓口で資格確認書などにより受け付けてください。",
        take=True,
    ),
    FailureCode.CARD_WRONG: Failure(
        N_("このカードは、マイナンバーカードではありません。"),
        N_("マイナンバーカードを入れてください。"),
        "住民基本台帳カードや他のICカードは使えません。マイナンバーカードをお持ちか確認してください。",
        take=True,
    ),
    FailureCode.CARD_TROUBLE: Failure(
        N_("カードとのやりとりが、うまくいきませんでした。"),
        _PUT_IN_AGAIN,
        "カードをまっすぐ置き直してください。続く場合は、カードリーダーをつなぎ直すか、資格確認書などで受け付けてください。",
        ends=True,
        take=True,
    ),
    FailureCode.CARD_WITHOUT_CERTIFICATE: Failure(
        N_("このカードには、使える電子証明書がありません。"),
        _AT_THE_MUNICIPALITY,
        "利用者証明用電子証明書が発行されていないか、なくなっています。資格確認書などで受け付け、市区町村での手続きをご案内ください。",
        ends=True,
        take=True,
    ),
    FailureCode.CARD_CERTIFICATE_UNREADABLE: Failure(
        N_("カードの電子証明書を、読み取れませんでした。"),
        _AT_THE_MUNICIPALITY,
        "電子証明書の中身が壊れています。資格確認書などで受け付け、市区町村での手続きをご案内ください。",
        ends=True,
        take=True,
    ),
    FailureCode.CARD_GENERATION_UNKNOWN: Failure(
        N_("この種類のカードには、まだ対応していません。"),
        _ASK,
        "マイナンバーカードですが、この端末が知らない世代です。資格確認書などで受け付け、端末の更新を保守に相談してください。",
        ends=True,
        take=True,
    ),
    FailureCode.CARD_STALLED: Failure(
        N_("カードからの返事がありません。"),
        _PUT_IN_AGAIN,
        "カードリーダーの電源と接続を確認してください。復旧すると自動で受付を再開します。",
        take=True,
    ),
    FailureCode.CARD_SWAPPED: Failure(
        N_("途中で、別のカードに替わりました。"),
        N_("ご本人のカードを入れてください。"),
        "カードの入れ替わりを検知しました。本人のカードで最初からやり直してもらってください。",
        ends=True,
        take=True,
    ),
    FailureCode.READER_LOST: Failure(
        N_("カードリーダーに接続できません。"),
        _ASK,
        "カードリーダーのケーブルを確認してください。つながると自動で再開します。",
        ends=True,
    ),
    FailureCode.READER_BUSY: Failure(
        N_("カードリーダーをほかのプログラムが使っています。"),
        _ASK,
        "カードリーダーを使うほかのプログラムを終了し、カードを入れ直してもらってください。",
        ends=True,
        take=True,
    ),
    FailureCode.READER_SERVICE_DOWN: Failure(
        N_("カードリーダーに接続できません。"),
        _ASK,
        "PC/SCサービス(pcscd)を起動してください。起動すると自動で再開します。",
        ends=True,
    ),
    FailureCode.PHONE_MOVED: Failure(
        N_("スマートフォンが、読み取りの途中で離れました。"),
        N_("もう一度、スマートフォンをかざしてください。"),
        "読み取りが終わるまで、スマートフォンを動かさずに置くようご案内ください。",
    ),
    FailureCode.PHONE_MOVED_AFTER_PIN: Failure(
        N_("スマートフォンが、読み取りの途中で離れました。"),
        N_("暗証番号を、もう一度入力してください。"),
        "読み取りが終わるまで、スマートフォンを動かさずに置くようご案内ください。番号は尋ねないでください。",
    ),
    FailureCode.PHONE_WRONG_KIND: Failure(
        N_("選んだ種類とちがうスマートフォンです。"),
        N_("「ほかの方法にする」から、種類を選び直してください。"),
        "iPhoneかAndroidかを選び直すようご案内ください。",
    ),
    FailureCode.PHONE_UNREADABLE: Failure(
        N_("スマートフォンを読み取れませんでした。"),
        N_("スマートフォンの画面で準備をして、もう一度かざしてください。"),
        "スマホ用電子証明書が登録され、画面ロックが解除されているか確認し、難しければカードをご案内ください。",
    ),
    FailureCode.PHONE_PIN_BLOCKED: Failure(
        N_("スマートフォンの暗証番号がロックされています。"),
        N_("カードを入れるか、受付の係の人にお声がけください。"),
        "カードか資格確認書で受け付けてください。ロックの解除はスマートフォンの発行元の案内に従います。",
        ends=True,
    ),
    FailureCode.PHONE_ON_CARD_READER: Failure(
        N_("スマートフォンは、カードの場所では読み取れません。"),
        N_("スマートフォンを離し、「スマートフォンを使う」を選んでください。"),
        "スマートフォン用の読み取り機をご案内ください。",
    ),
    FailureCode.PHONE_READER_LOST: Failure(
        N_("スマートフォンを読み取る機械が使えません。"),
        N_("カードを入れるか、受付の係の人にお声がけください。"),
        "スマートフォン用の読み取り機のケーブルを確認してください。つながると自動で使えるようになります。",
        ends=True,
    ),
    FailureCode.CARD_ON_PHONE_READER: Failure(
        N_("ここは、スマートフォン用の場所です。"),
        N_("カードは、カードリーダーに入れてください。"),
        "カードはカードリーダーに入れるようご案内ください。",
    ),
    FailureCode.FACE_NOT_MATCHED: Failure(
        N_("カードの写真と同じ方か、確認できませんでした。"),
        _CHOOSE_AGAIN,
        "暗証番号、または目視確認をご案内ください。顔認証の失敗は本人でないことを意味しません。",
    ),
    FailureCode.FACE_NOT_SEEN: Failure(
        N_("お顔をはっきり写せませんでした。"),
        N_("明るい向きで正面を見て、もう一度ためすか、ほかの方法を選んでください。"),
        "マスク、逆光、カメラとの距離を確認し、難しければ暗証番号か目視確認をご案内ください。",
    ),
    FailureCode.FACE_PHOTO_SUSPECTED: Failure(
        N_("カメラの前のお顔を、確認できませんでした。"),
        N_("お顔を少し左右に向けながらもう一度ためすか、ほかの方法を選んでください。"),
        "写真が写された可能性があります。動かずにいただけのこともあります。患者を見て、目視確認か暗証番号をご案内ください。",
    ),
    FailureCode.FACE_CHALLENGE_FAILED: Failure(
        N_("お顔の動きを、確認できませんでした。"),
        _CHOOSE_AGAIN,
        "左右を向く順が画面の案内と違ったか、間に合いませんでした。暗証番号か目視確認もご案内できます。",
    ),
    FailureCode.FACE_PHOTO_UNUSABLE: Failure(
        N_("カードの写真を使えませんでした。"),
        _OTHER_WAY,
        "このカードでは顔認証できません。暗証番号か目視確認をご案内ください。",
    ),
    FailureCode.FACE_PHOTO_FORGED: Failure(
        _PHOTO_UNPROVEN,
        _OTHER_WAY,
        "写真の署名が正しくありません。偽造の疑いがあります。カードの実物を確かめ、顔認証と写真での目視確認は使わないでください。",
    ),
    FailureCode.FACE_AUTHORITY_UNKNOWN: Failure(
        _PHOTO_UNPROVEN,
        _OTHER_WAY,
        "写真に署名した発行者を、この端末は知りません。新しいカードか偽造です。暗証番号をご案内し、続く場合は保守に連絡してください。",
    ),
    FailureCode.FACE_AUTHORITY_EXPIRED: Failure(
        _PHOTO_UNPROVEN,
        _OTHER_WAY,
        "写真に署名した発行者の鍵は、期間が過ぎています。暗証番号をご案内ください。端末の時計も確認してください。",
    ),
    FailureCode.FACE_CHIP_UNPROVEN: Failure(
        _PHOTO_UNPROVEN,
        _OTHER_WAY,
        "カードのICチップが本物と証明できませんでした。複製の疑いがあります。カードの実物を確かめ、写真での目視確認は使わないでください。",
    ),
    FailureCode.FACE_CHIP_LATE: Failure(
        _PHOTO_UNPROVEN,
        _OTHER_WAY,
        "カードのICチップの返事が遅すぎます。離れた所のカードの疑いがあります。置き直しても続く場合は、暗証番号をご案内ください。",
    ),
    FailureCode.FACE_CAMERA_LOST: Failure(
        N_("カメラが使えません。"),
        _OTHER_WAY,
        "カメラの接続と、レンズがふさがれていないかを確認してください。直ると自動で使えるようになります。",
    ),
    FailureCode.FACE_ENGINE_LOST: Failure(
        N_("顔認証を続けられませんでした。"),
        _CHOOSE_AGAIN,
        "顔認証の処理が止まったため再起動しました。繰り返す場合は保守に連絡してください。",
    ),
    FailureCode.PIN_WRONG: Failure(
        N_("暗証番号がちがいます。"),
        N_("もう一度入力するか、ほかの方法を選んでください。"),
        "番号を尋ねたり、代わりに入力したりしないでください。顔認証もご案内できます。",
    ),
    FailureCode.PIN_BLOCKED: Failure(
        N_("暗証番号がロックされています。"),
        N_("ほかの方法を選んでください。ロックの解除は市区町村の窓口でできます。"),
        "顔認証か目視確認をご案内ください。解除は市区町村の窓口のほか、コンビニとアプリでもできます。",
    ),
    FailureCode.PIN_ANSWER_LOST: Failure(
        N_("カードから、暗証番号の返事がありませんでした。"),
        N_("暗証番号を、もう一度入力してください。"),
        "残り回数は減っていません。番号を尋ねたり、代わりに入力したりしないでください。続く場合はカードの置き方を確かめてください。",
    ),
    FailureCode.NO_METHOD_LEFT: Failure(
        N_("この機械では本人確認ができませんでした。"),
        _ASK,
        "目視確認、または資格確認書などで受け付けてください。",
        ends=True,
        take=True,
    ),
    FailureCode.VISUAL_REFUSED: Failure(
        N_("係の人の確認では、本人確認ができませんでした。"),
        N_("ほかの方法を選んでください。"),
        "暗証番号か顔認証をご案内ください。難しければ資格確認書などで受け付けてください。",
    ),
    FailureCode.VISUAL_WITHOUT_PHOTO: Failure(
        N_("このカードには、確認に使える写真がありません。"),
        N_("ほかの方法を選んでください。"),
        "写真のないカードでは目視確認はできません。暗証番号をご案内ください。",
    ),
    FailureCode.CARD_USE_DECLINED: Failure(
        N_("カードを健康保険証として使う登録をしませんでした。"),
        _ASK,
        "利用登録を希望されませんでした。資格確認書などで受け付けてください。",
        ends=True,
        take=True,
    ),
    FailureCode.CERTIFICATE_EXPIRED: Failure(
        N_("カードの電子証明書の有効期限が切れています。"),
        N_("受付の係の人にお声がけください。更新は市区町村の窓口でできます。"),
        "資格確認書などで受け付け、市区町村での更新をご案内ください。",
        ends=True,
        take=True,
    ),
    FailureCode.CERTIFICATE_REVOKED: Failure(
        N_("カードの電子証明書が使えなくなっています。"),
        _AT_THE_MUNICIPALITY,
        "失効した証明書です。資格確認書などで受け付け、市区町村での手続きをご案内ください。",
        ends=True,
        take=True,
    ),
    FailureCode.CERTIFICATE_UNCONFIRMED: Failure(
        N_("カードの電子証明書を確認できませんでした。"),
        _ASK,
        "証明書が一時停止中か、状態が不明です。資格確認書などで受け付けてください。",
        ends=True,
        take=True,
    ),
    FailureCode.CERTIFICATE_UNTRUSTED: Failure(
        N_("カードの電子証明書の発行元を、確認できませんでした。"),
        _ASK,
        "発行した認証局を、資格確認サーバーが認めていないか、認証局の期間が過ぎています。資格確認書などで受け付けてください。",
        ends=True,
        take=True,
    ),
    FailureCode.PHOTO_OF_ANOTHER: Failure(
        N_("カードの写真と証明書が、同じ人のものではありません。"),
        _ASK,
        "写真の人と電子証明書の人の生年月日が違います。偽造の疑いがあります。カードの実物と本人を確かめてください。",
        ends=True,
        take=True,
    ),
    FailureCode.PHONE_CERTIFICATE_REVOKED: Failure(
        N_("このスマートフォンの電子証明書は、使えなくなっています。"),
        N_("マイナンバーカードで受付してください。"),
        "スマートフォンの電子証明書は失効しています。カードか資格確認書で受け付けてください。",
        ends=True,
    ),
    FailureCode.PHONE_CERTIFICATE_ON_HOLD: Failure(
        N_("このスマートフォンの電子証明書は、一時停止されています。"),
        N_("マイナンバーカードで受付してください。"),
        "紛失の届けで一時停止中です。本人のスマートフォンか確かめ、カードか資格確認書で受け付けてください。",
        ends=True,
    ),
    FailureCode.IDENTITY_REFUSED: Failure(
        N_("本人確認の結果が受け付けられませんでした。"),
        _ASK,
        "もう一度カードを入れてもらい、続く場合は端末の登録と時計を確認してください。",
        ends=True,
        take=True,
    ),
    FailureCode.INSURANCE_INVALID: Failure(
        N_("健康保険の資格を確認できませんでした。"),
        _ASK,
        "資格が無効です。新しい保険の有無を患者に確認してください。",
        ends=True,
        take=True,
    ),
    FailureCode.INSURANCE_NOT_FOUND: Failure(
        N_("健康保険の資格が見つかりませんでした。"),
        _ASK,
        "該当する資格がありません。資格確認書などで確認してください。",
        ends=True,
        take=True,
    ),
    FailureCode.INSURANCE_AMBIGUOUS: Failure(
        N_("健康保険の資格を一つに決められませんでした。"),
        _ASK,
        "複数の資格があります。患者に保険者を確認してください。",
        ends=True,
        take=True,
    ),
    FailureCode.SERVER_UNREACHABLE: Failure(
        N_("ただいま資格を確認できません。"),
        _ASK,
        _STAFF_SERVER,
        ends=True,
        take=True,
    ),
    FailureCode.SERVER_TIMED_OUT: Failure(
        N_("資格の確認に時間がかかりすぎています。"),
        _ASK,
        _STAFF_SERVER,
        ends=True,
        take=True,
    ),
    FailureCode.SERVER_BAD_ANSWER: Failure(
        N_("資格を正しく確認できませんでした。"),
        _ASK,
        _STAFF_SERVER,
        ends=True,
        take=True,
    ),
    FailureCode.TERMINAL_NOT_ENROLLED: Failure(
        N_("この機械は、まだ使えるように登録されていません。"),
        _ASK,
        "この端末を資格確認サーバーに登録してください。",
        take=True,
    ),
    FailureCode.ANSWER_TIMED_OUT: Failure(
        N_("しばらく、操作がありませんでした。"),
        _PUT_IN_AGAIN,
        _STAFF_NOT_CHECKED_IN,
        ends=True,
        take=True,
    ),
    FailureCode.CANCELLED: Failure(
        N_("受付をやめました。"),
        N_("続けるときは、もう一度カードを入れてください。"),
        "患者が取り消しました。必要なら声をかけてください。",
        ends=True,
        take=True,
    ),
    FailureCode.STAFF_CALLED: Failure(
        N_("係の人を呼んでいます。"),
        N_("そのままお待ちください。"),
        "患者が呼んでいます。端末までおいでください。",
    ),
    FailureCode.TERMINAL_FAULT: Failure(
        N_("機械の中で問題が起きました。"),
        _ASK,
        "端末の記録(ログ)を保守に送ってください。次の患者は受け付けられます。",
        ends=True,
        take=True,
    ),
}
"""One entry for every code; a test counts them."""
