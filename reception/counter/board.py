"""Today's visits as staff see them: the journal's facts, and beside them whom they were about, for a while."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from reception.flow.failures import FailureCode
from reception.terminal.journal import COMPLETED, INTERRUPTED, NOT_RECORDED, RECORDED, Entry
from reception.terminal.snapshot import CounterView
from reception.texts.failures import FAILURES

OUTCOMES: dict[str, str] = {
    "": "受付中",
    COMPLETED: "✓ 受付完了",
    RECORDED: "記録済み (患者は未確認)",
    NOT_RECORDED: "! 記録されていません",
    INTERRUPTED: "! 途中で停止",
    "ended": "完了せず終了",
    "CANCELLED": "取りやめ",
    "STAFF_CALLED": "係を呼び出し",
}
"""By outcome; of a FailureCode, the first sentence that the patient read."""


@dataclass(frozen=True)
class Problem:
    """Something about the insurance that staff must see to."""

    what: str
    remedy: str


_STATUS = {
    "invalid": Problem("資格が無効です", "資格確認書や新しい保険の有無を、患者に確認してください。"),
    "superseded": Problem(
        "資格が無効です (新しい資格あり)", "新しい保険者を患者に確認してから会計してください。"
    ),
    "not-found": Problem("該当する資格がありません", "資格確認書の提示をお願いしてください。"),
    "ambiguous": Problem(
        "複数の資格が該当します", "どの保険かを患者に確認し、保険者に問い合わせてください。"
    ),
    "unregistered": Problem("閲覧できる情報がありません", "医療扶助などです。受給者証を確認してください。"),
}
_STANDING = {
    "expires-soon": Problem("電子証明書の期限が近づいています", "市区町村での更新を案内してください。"),
    "grace": Problem("電子証明書の期限が切れています", "資格だけ確認できました。更新を案内してください。"),
}
_CONFLICTS = {
    "NUMBER_SHARED": Problem("診察券番号が別の患者と同じです", "どちらのカルテかを確認してください。"),
    "SAME_KANA_AND_BIRTH": Problem(
        "フリガナと生年月日が同じ別の患者がいます", "住所と保険者番号で、カルテを確認してください。"
    ),
    "NAME_CHANGED": Problem(
        "診察券番号を登録した時と氏名が違います", "改姓などです。本人に確認し、カルテを直してください。"
    ),
}
_UNREADABLE = Problem(
    "氏名に●があります", "表示できない漢字です。フリガナで確かめ、正しい字を入力してください。"
)


def problems(view: CounterView) -> tuple[Problem, ...]:
    """Return what staff must see to, with the remedy."""
    found = [_STATUS.get(view.status), _STANDING.get(view.standing)]
    if "●" in view.name:
        found.append(_UNREADABLE)
    return tuple(one for one in found if one is not None) + conflict_problems(view)


def conflict_problems(view: CounterView) -> tuple[Problem, ...]:
    """Return what makes it unsure which chart is this patient's."""
    return tuple(_CONFLICTS[one] for one in view.conflicts if one in _CONFLICTS)


def outcome_words(outcome: str) -> str:
    """Say what became of a visit."""
    if outcome in OUTCOMES:
        return OUTCOMES[outcome]
    try:
        return FAILURES[FailureCode(outcome)].patient.partition("。")[0].replace("\n", "")
    except ValueError:
        return outcome


@dataclass(frozen=True)
class Row:
    """One visit of today."""

    entry: Entry
    view: CounterView | None = field(repr=False)
    """None: it was never known here, or must not be shown any more."""


class Board:
    """Keeps whom today's visits were about, in memory, each for ``keep_s`` seconds; ``now`` of any steady clock."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self.hidden = False
        """Nobody must see whom the visits were about, for now."""
        self._known: dict[str, tuple[CounterView, float]] = {}

    def remember(self, view: CounterView, now: float) -> None:
        """Keep whom a visit is about; a newer view takes the place of the older."""
        before = self._known.get(view.visit)
        since = before[1] if before else now
        self._known[view.visit] = (view, since)

    def replace_all(self, views: Iterable[CounterView], now: float) -> None:
        """Keep just these; who was known before keeps the time of then."""
        before = self._known
        self._known = {view.visit: (view, before.get(view.visit, (view, now))[1]) for view in views}

    def registered(self, visit: str, reference_number: str) -> None:
        """The server keeps this chart number now."""
        if visit in self._known:
            view, since = self._known[visit]
            self._known[visit] = (replace(view, reference_number=reference_number), since)

    def expire(self, now: float) -> bool:
        """Forget whom it is time to forget; True when there was anybody."""
        old = [visit for visit, (_, since) in self._known.items() if now - since >= self._keep_s]
        for visit in old:
            del self._known[visit]
        return bool(old)

    def forget(self) -> None:
        """Forget everybody."""
        self._known.clear()

    def whom(self, visit: str) -> CounterView | None:
        """Return whom a visit is about, while that is known."""
        return self._known.get(visit, (None,))[0]

    def namesakes(self, view: CounterView, reference_number: str) -> tuple[CounterView, ...]:
        """Return other people of today who have this chart number already.

        The same name and birth date is the same person, who may have come twice, or with a new insurance.
        """
        numbered = [one for one, _ in self._known.values() if one.reference_number == reference_number]
        others = {(one.name, one.birth_date): one for one in numbered}
        others.pop((view.name, view.birth_date), None)
        return tuple(others.values())

    def alike(self, view: CounterView) -> tuple[CounterView, ...]:
        """Return other people of today with the same chart number, or the same kana and birth date."""
        others = {
            (one.name, one.birth_date, one.insurer_number): one
            for one, _ in self._known.values()
            if (one.reference_number and one.reference_number == view.reference_number)
            or (plain(one.name_kana), one.birth_date) == (plain(view.name_kana), view.birth_date)
        }
        others.pop((view.name, view.birth_date, view.insurer_number), None)
        return tuple(others.values())

    def conflicts(self) -> tuple[CounterView, ...]:
        """Return whose chart staff must look for with care, those of today, oldest first; nobody while hidden."""
        if self.hidden:
            return ()
        return tuple(view for view, _ in self._known.values() if view.conflicts)

    def rows(self, entries: Iterable[Entry], search: str = "") -> tuple[Row, ...]:
        """Return the visits that the search finds, newest first; every one that fits, never a guess."""
        words = plain(search).split()
        known = {} if self.hidden else self._known
        rows = [Row(entry, known.get(entry.visit, (None,))[0]) for entry in entries]
        found = [row for row in rows if all(word in _text(row) for word in words)]
        return tuple(reversed(found))


def _text(row: Row) -> str:
    parts = [f"{row.entry.begun_at:%H:%M}", outcome_words(row.entry.outcome)]
    if row.view is not None:
        view = row.view
        parts += [view.name, view.name_kana, view.reference_number, view.number, view.insurer_number]
        # "山田花子" finds 「山田　花子」, whichever space is in it.
        parts += ["".join(view.name.split()), "".join(view.name_kana.split())]
    return plain(" ".join(parts))


def plain(text: str) -> str:
    """Return the text for comparison: full and half width, hiragana and katakana, capitals are all alike."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(chr(ord(each) + 0x60) if "ぁ" <= each <= "ゖ" else each for each in folded)


def began(entry: Entry) -> str:
    """Say when a visit began."""
    at: datetime = entry.begun_at
    return f"{at:%H:%M}"
