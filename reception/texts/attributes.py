"""What the patient reads of the offer after the check-in: to tell the clinic of a new name or address (最新4情報).

``consent.attributes.rules.TEXT_VERSION`` says which wording was agreed to: change it with these texts.
"""

from reception.flow import AttributeOutcome
from reception.terminal.snapshot import Snapshot
from reception.texts import N_, Catalogue, wording

ASKED = {
    "name": N_("お名前が変わったら、この医療機関に知らせてもよいですか"),
    "address": N_("住所が変わったら、この医療機関に知らせてもよいですか"),
    "birth_date": N_("生年月日が直されたら、この医療機関に知らせてもよいですか"),
    "sex": N_("性別が変わったら、この医療機関に知らせてもよいですか"),
}
"""The question of each attribute."""
REFUSAL = N_("同意しなくても、診察や会計は変わりません。")
HOW_LONG = N_("同意は、明日から10年間です。")
TAKE_BACK = N_("マイナポータルか受付で、いつでも取り消せます。")

PASSWORD = N_("署名用パスワード")
SIGN = N_("署名用パスワードを入力してください")
WHAT_IT_IS = N_("市区町村の窓口で決めた、6文字から16文字の、英字と数字です。")
WRONG = N_("パスワードが違います。")
SIGNING = N_("署名をしています。カードは、そのまま入れておいてください。")
CHARACTERS = N_("{count}文字")
BY_PHONE = N_("スマートフォンで同意する")
SKIP = N_("同意しないで終わる")
SCAN = N_("スマートフォンで、このQRコードを読み取ってください")
ON_PHONE = N_("スマートフォンの画面で同意すると、手続きは終わりです。")
MAKING = N_("QRコードを用意しています。")
READY = N_("終わる")

OUTCOMES = {
    AttributeOutcome.GIVEN: N_("名前や住所が変わると、この医療機関に伝わります。"),
    AttributeOutcome.INVITED: N_("続きは、スマートフォンでしてください。"),
    AttributeOutcome.NOT_RECORDED: N_("名前や住所の変更を知らせる手続きは、できませんでした。"),
    AttributeOutcome.BLOCKED: N_("署名用パスワードがロックされました。解除は、市区町村の窓口でできます。"),
}
"""What is said of the offer once it is over; of a no, nothing."""

NUMBER = N_("受付番号は{number}です")
WAIT_AT = N_("{place}でお待ちください")


def tries(snapshot: Snapshot, t: Catalogue) -> str:
    """Return how many tries of the signing password are left, where that is known."""
    left = snapshot.signing_tries_left
    return "" if left is None else t(wording.TRIES_LEFT, count=left)


def waiting_words(snapshot: Snapshot, t: Catalogue, usual: str) -> str:
    """Return where the patient waits, and with which number."""
    place = t(WAIT_AT, place=snapshot.wait_at) if snapshot.wait_at else t(usual)
    number = t(NUMBER, number=snapshot.queue_number) if snapshot.queue_number else ""
    return "\n".join(filter(None, (number, place)))
