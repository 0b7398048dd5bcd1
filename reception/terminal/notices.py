"""What staff must know that belongs to no visit on the screen: each with what they can do about it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class NoticeCode(StrEnum):
    """What happened."""

    VISIT_RECORDED_UNSEEN = "VISIT_RECORDED_UNSEEN"
    VISIT_NOT_RECORDED = "VISIT_NOT_RECORDED"
    RECEIPT_FOLDER_UNUSABLE = "RECEIPT_FOLDER_UNUSABLE"
    RECEIPT_CHARACTERS_REPLACED = "RECEIPT_CHARACTERS_REPLACED"
    RECEIPT_GIVEN_UP = "RECEIPT_GIVEN_UP"
    RECEIPT_IMPOSSIBLE = "RECEIPT_IMPOSSIBLE"
    REQUEST_UNKNOWN = "REQUEST_UNKNOWN"
    CHART_NUMBER_TAKEN = "CHART_NUMBER_TAKEN"
    BULK_REQUEST_LOST = "BULK_REQUEST_LOST"
    CHART_NOT_DELIVERED = "CHART_NOT_DELIVERED"
    JOURNAL_UNUSABLE = "JOURNAL_UNUSABLE"
    PART_FAILED = "PART_FAILED"
    NIGHTLY_JOB_FAILED = "NIGHTLY_JOB_FAILED"


@dataclass(frozen=True)
class Words:
    """The words for staff, in plain Japanese."""

    what: str
    remedy: str


NOTICES: dict[NoticeCode, Words] = {
    NoticeCode.VISIT_RECORDED_UNSEEN: Words(
        "送信の途中で止まった受付は、記録されていました。患者には完了と表示されていません。",
        "その時刻の患者に、受付が済んでいることを伝えてください。もう一度の受付は不要です。",
    ),
    NoticeCode.VISIT_NOT_RECORDED: Words(
        "送信の途中で止まった受付は、記録されていませんでした。",
        "その時刻の患者に、もう一度カードで受付してもらってください。",
    ),
    NoticeCode.RECEIPT_FOLDER_UNUSABLE: Words(
        "レセコン用のファイルを書けません。受付は続けられます。",
        "共有フォルダと資格確認サーバーを確認してください。使えるようになると、自動で書き込みます。",
    ),
    NoticeCode.RECEIPT_CHARACTERS_REPLACED: Words(
        "レセコンで使えない文字があり、●に置き換えました。",
        "レセコンの画面で、氏名などを正しい文字に直してください。",
    ),
    NoticeCode.RECEIPT_GIVEN_UP: Words(
        "レセコン用のファイルを作れない受付がありました。",
        "資格確認サーバーにその受付がありません。必要なら、もう一度カードで受付してもらってください。",
    ),
    NoticeCode.RECEIPT_IMPOSSIBLE: Words(
        "レセコン用のファイルにできない資格情報がありました。やり直しはしません。",
        "その時刻の患者の資格を、レセコンから確認してください。続く場合は保守に連絡してください。",
    ),
    NoticeCode.REQUEST_UNKNOWN: Words(
        "レセコンから、この端末が対応していない要求がありました。",
        "エラーの回答を返しました。レセコンの設定を確認してください。",
    ),
    NoticeCode.CHART_NUMBER_TAKEN: Words(
        "登録しようとした診察券番号は、別の患者のものです。登録していません。",
        "どちらの患者の番号かを確認し、レセコンで直してから登録してください。",
    ),
    NoticeCode.BULK_REQUEST_LOST: Words(
        "端末が再起動したため、レセコンの一括照会が失われました。",
        "レセコンから、一括照会をもう一度行ってください。",
    ),
    NoticeCode.CHART_NOT_DELIVERED: Words(
        "電子カルテに送れない受付がありました。レセコン用のファイルは書いてあります。",
        "電子カルテ側の受け取り先と署名の設定を確認し、その患者は手で取り込んでください。",
    ),
    NoticeCode.JOURNAL_UNUSABLE: Words(
        "受付の控え(ジャーナル)に書けません。受付は続けられます。",
        "端末のディスクの空き容量とアクセス権を確認してください。書けるようになるまで、端末の電源を切らないでください。",
    ),
    NoticeCode.PART_FAILED: Words(
        "端末の処理の一部が止まっています。自動でやり直しています。",
        "続く場合は、共有フォルダと接続を確認し、端末を再起動してください。受付の記録は失われません。",
    ),
    NoticeCode.NIGHTLY_JOB_FAILED: Words(
        "氏名・住所の変更の夜間の確認ができませんでした。受付は続けられます。",
        "接続と共有フォルダを確認してください。自動でやり直します。同じ患者を二度照会することはありません。",
    ),
}
"""One entry for every code; a test counts them."""


@dataclass(frozen=True)
class Notice:
    """One thing that happened; personal details never stand here."""

    code: NoticeCode
    at: datetime
    """When it happened; of a visit: when it was being sent."""
    visit: str = ""
    detail: str = field(default="")
    """More for staff, as which folder."""
