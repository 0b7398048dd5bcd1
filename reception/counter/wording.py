"""What the counter calls states, parts and answers, in Japanese; english.py has the same in English."""

from consent.attributes.rules import Attribute
from consent.choices import ConsentAnswer, Item, VisualReason
from reception.flow.failures import FailureCode
from reception.terminal.notices import NOTICES, NoticeCode
from reception.texts.failures import FAILURES

STATES = {
    "WAITING": "カードを待っています",
    "READING": "カードを読み取っています",
    "METHOD_CHOICE": "患者が本人確認の方法を選んでいます",
    "FACE_MATCH": "顔認証をしています",
    "PIN_ENTRY": "患者が暗証番号を入力しています",
    "LAST_TRY": "暗証番号はあと1回です。患者が続けるか選んでいます",
    "PHONE_TAP": "スマートフォンを待っています",
    "VISUAL_CHECK": "係の目視確認を待っています",
    "CHECKING": "健康保険の資格を確認しています",
    "CARD_USE_OFFER": "健康保険証の利用登録を案内しています",
    "CONSENT": "患者が同意の質問に答えています",
    "BUNDLE": "患者が、まとめて同意するか選んでいます",
    "PRESCRIPTION": "患者が処方箋の形を選んでいます",
    "LIMIT_CONSENT": "患者が限度額情報の質問に答えています",
    "SENDING": "同意の内容を送っています",
    "TAKE_CARD": "患者がカードを取るのを待っています",
    "COMPLETE": "受付が完了しました",
    "CALL_STAFF": "患者が係を待っています",
    "OUT_OF_SERVICE": "端末は利用できません",
    "DESK_CLOSED": "受付を休止しています",
    "LEAVE": "患者が受付をやめるか選んでいます",
    "SUMMARY": "患者が答えを確かめています",
    "MATCHED": "本人確認ができました",
    "ATTRIBUTE_OFFER": "氏名や住所の変更を知らせるか、患者が選んでいます",
    "ATTRIBUTE_SIGN": "患者が署名用のパスワードを入力しています",
    "ATTRIBUTE_QR": "患者のスマートフォン用のページを案内しています",
    "HELP": "患者が「こまったときは」を見ています",
}
"""By Snapshot.screen."""

PARTS = {
    "reader": "カードリーダー",
    "phone_reader": "スマホ用リーダー",
    "camera": "カメラ",
    "engine": "顔認証",
    "server": "資格確認サーバー",
    "sound": "音声",
    "journal": "受付の控え",
    "threads": "端末の処理",
}
"""By field of Health, and the voice."""
REMEDIES = {
    "reader": FAILURES[FailureCode.READER_LOST].staff,
    "phone_reader": FAILURES[FailureCode.PHONE_READER_LOST].staff,
    "camera": FAILURES[FailureCode.FACE_CAMERA_LOST].staff,
    "engine": "顔認証の処理が止まっています。暗証番号か目視確認をご案内ください。次の顔認証で再起動します。",
    "server": FAILURES[FailureCode.SERVER_UNREACHABLE].staff,
    "sound": "音声が出ません。スピーカーの接続を確認してください。受付は続けられます。",
    "journal": NOTICES[NoticeCode.JOURNAL_UNUSABLE].remedy,
    "threads": NOTICES[NoticeCode.PART_FAILED].remedy,
}
"""What staff can do about a part that is down."""
CAMERA_FAULTS = {
    "missing": "カメラが見つかりません。ケーブルを確認してください。",
    "busy": "ほかのプログラムがカメラを使っています。そのプログラムを終了してください。",
    "black": "映像が真っ暗です。レンズの覆いと照明を確認してください。",
    "frozen": "映像が止まっています。カメラをつなぎ直してください。",
    "slow": "映像が遅れています。カメラをつなぎ直してください。続く場合は保守に連絡してください。",
    "denied": "カメラを使う権限がありません。保守に連絡してください。",
    "unfit": "このカメラの映像は使えません。保守に連絡してください。",
}
"""The remedy for the camera, by Health.camera_fault."""
HEALTH = {"ok": "✓ 正常", "down": "! 使えません", "unknown": "- 確認中", "none": "- なし"}

LANGUAGES = {
    "ja": "日本語",
    "ja-easy": "やさしい日本語",
    "en": "英語",
    "zh": "中国語",
    "ko": "韓国語",
    "pt": "ポルトガル語",
    "vi": "ベトナム語",
}
"""What the patient has chosen to read."""
NOBODY_MAY = "係のパスワードがないため、目視確認はできません。./run staff-password で設定してください。"

IDENTITY = {"face": "顔認証", "pin": "暗証番号", "visual": "目視確認", "iphone": "スマートフォン"}
ITEMS: dict[str, str] = {
    Item.MEDICATION: "薬剤情報",
    Item.DIAGNOSIS: "診療情報",
    Item.OPERATION: "手術情報",
    Item.HEALTH_CHECKUP: "特定健診情報",
    Item.LIMIT_AMOUNT: "限度額情報",
    Item.SPECIFIC_DISEASE: "特定疾病療養受療証情報",
    Item.RECORD_SHARING: "電子カルテ情報",
    Item.MEDICAL_SUBSIDY: "医療費助成の受給者証",
}
"""By item."""
ATTRIBUTES: dict[str, str] = {
    Attribute.NAME: "氏名",
    Attribute.ADDRESS: "住所",
    Attribute.BIRTH_DATE: "生年月日",
    Attribute.SEX: "性別",
}
"""By attribute of 最新4情報."""
SEXES = {"1": "男性", "2": "女性"}
ANSWERS: dict[str, str] = {ConsentAnswer.GIVEN: "提供する", ConsentAnswer.DECLINED: "提供しない"}
USES: dict[str, str] = {ConsentAnswer.GIVEN: "利用する", ConsentAnswer.DECLINED: "今回は利用しない"}
"""Of 医療費助成: not used on this visit, which says nothing of the entitlement."""

REASONS: dict[VisualReason, str] = {
    "face-failed": "顔認証ができない",
    "pin-forgotten": "暗証番号を忘れた",
    "pin-blocked": "暗証番号がロックされた",
    "cannot-operate": "画面の操作ができない",
    "camera-down": "カメラが使えない",
    "other": "そのほか",
}
"""By reason of a visual check."""

VERDICTS: dict[str, str] = {
    "done": "行いました。",
    "late": "もう必要がなくなっていたため、何もしていません。",
    "expired": "端末に届くのが遅すぎたため、何もしていません。もう一度お試しください。",
    "replayed": "同じ操作が二度届いたため、何もしていません。",
    "unknown": "端末がこの操作を受け付けません。入力を確認してください。",
    "forged": "端末がこの画面からの操作を認めていません。証明書を確認してください。",
    "refused": "この保険の番号では、お一人に決まらないため登録できません。番号を確認してください。",
    "unreachable": "端末か資格確認サーバーに届きません。しばらくしてから、もう一度お試しください。",
}
"""By Verdict."""
