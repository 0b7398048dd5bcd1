"""The folder shared with the receipt computer: whole files or none, and one answer to each request."""

import errno
import hashlib
import os
import random
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest

from consent.eligibility import BadAnswer, EligibilityError, Refused, Unreachable
from consent.receipt_files.content import (
    Confirmation,
    ConsentFlag,
    Insured,
    Prescription,
    Query,
    Registration,
    Sex,
    Validity,
    limit_certificate,
    without_card,
)
from consent.receipt_files.files import Refusal, ResponseFile, Segment, Status, read_result
from consent.receipt_files.folder import (
    LONGEST_RETRY_S,
    MAX_QUESTIONS,
    MAX_REFUSED,
    PATIENCE_S,
    RETRY_S,
    SETTLED_S,
    FolderReport,
    ReceiptFolder,
    ReceiptFolderError,
    ReceiptFolderService,
    Trouble,
)
from consent.receipt_files.xml import MAX_BYTES, Fault
from consent.wire import JAPAN
from reception.testing.fuzz.receipt import check_requests
from tests.support.receipts import HANAKO, INSTITUTION, QUERY, REGISTRATION

AT = datetime(2026, 4, 1, 9, 0, 5, 987_654, tzinfo=JAPAN)
SOON = SETTLED_S + 0.01
FACE_NAME = r"\AOQSsiquc01res_face_.+_(\d{14})\.xml\Z"
"""How receipt computers find the file (facts)."""


class Desk:
    """A receipt folder, a server that knows one person, and a clock that tests turn."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("face", "req", "res"):
            (root / name).mkdir()
        self.seconds = 1000.0
        self.completed: dict[str, Confirmation] = {"visit-1": confirmed(HANAKO)}
        self.answer: Confirmation | Refusal | Exception = confirmed(HANAKO)
        self.asked: list[str] = []
        self.queries: list[tuple[Query, date]] = []
        self.registered: list[Registration] = []
        self.refusal: Refusal | None = None
        self.failure: EligibilityError | None = None
        self.computer = self.restarted()

    def restarted(self) -> ReceiptFolderService:
        return ReceiptFolderService(
            ReceiptFolder(self.root, INSTITUTION, "cp932"),
            self._ask,
            self._lookup,
            self._register,
            clock=lambda: AT,
            seconds=lambda: self.seconds,
        )

    def _ask(self, visit_id: str) -> Confirmation | None:
        self.asked.append(visit_id)
        if self.failure and visit_id == "visit-1":
            raise self.failure
        return self.completed.get(visit_id)

    def _lookup(self, query: Query, day: date) -> Confirmation | Refusal:
        self.queries.append((query, day))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def _register(self, registration: Registration) -> Refusal | None:
        self.registered.append(registration)
        return self.refusal

    def look(self, after: float = 0.0) -> FolderReport:
        self.seconds += after
        return self.computer.look()

    def request(self, content: str | bytes, name: str = "OQSsiquc01req_1.xml") -> None:
        data = content.encode("utf-8") if isinstance(content, str) else content
        (self.root / "req" / name).write_bytes(data)

    def settle(self) -> FolderReport:
        """Look twice, so far apart that a request at rest is answered."""
        self.look()
        return self.look(after=SOON)

    def names(self, folder: str) -> list[str]:
        return sorted(os.listdir(self.root / folder)) if (self.root / folder).exists() else []

    def result(self, name: str = "OQSsiquc01res_1.xml") -> ResponseFile:
        return read_result((self.root / "res" / name).read_bytes())


def confirmed(insured: Insured) -> Confirmation:
    return Confirmation(AT, Validity.VALID, (insured,), Prescription.ELECTRONIC)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    # Never anything unfinished, whatever happened.
    left = [path.name for path in tmp_path.rglob("*") if path.name.startswith(".")]
    assert left == []


# --- a file per completed visit ---


def test_a_completed_visit_gives_one_whole_file_under_a_name_receipt_computers_look_for(desk: Desk) -> None:
    desk.computer.add("visit-1")
    report = desk.look()
    assert (report.written, report.waiting, report.problem) == ({"visit-1": ()}, 0, "")
    (name,) = desk.names("face")
    stamp = re.match(FACE_NAME, name)
    assert stamp
    assert stamp[1] == "20260401090005"
    answer = read_result((desk.root / "face" / name).read_bytes())
    assert answer.header.file_id == "visit-1"
    assert answer.body
    assert answer.body.results == (HANAKO,)
    assert desk.look().written == {}


def test_characters_that_are_missing_are_reported_with_the_visit(desk: Desk) -> None:
    desk.completed["v2"] = confirmed(Insured("𠮷田", date(1965, 4, 28), Sex.FEMALE))
    desk.computer.add("v2")
    assert desk.look().written == {"v2": ("Name",)}


def test_two_visits_in_one_second_give_two_files(desk: Desk) -> None:
    desk.completed["visit-2"] = confirmed(HANAKO)
    desk.computer.add("visit-1")
    desk.computer.add("visit-2")
    desk.look()
    assert len(desk.names("face")) == 2


def test_a_visit_written_again_after_a_restart_is_the_same_file(desk: Desk) -> None:
    desk.computer.add("visit-1")
    desk.look()
    desk.computer = desk.restarted()
    desk.computer.add("visit-1")
    desk.look()
    assert len(desk.names("face")) == 1


def test_what_a_crash_left_unfinished_goes_once_it_is_old(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_given: object, **_more: object) -> None:
        raise KeyboardInterrupt

    desk.computer.add("visit-1")
    with monkeypatch.context() as patch:
        patch.setattr("consent.receipt_files.folder.os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.look()
    (left,) = desk.names("face")
    assert not re.match(FACE_NAME, left)
    os.utime(desk.root / "face" / left, (0, 0))
    desk.computer = desk.restarted()
    desk.computer.add("visit-1")
    assert desk.look().written == {"visit-1": ()}
    assert len(desk.names("face")) == 1


def test_a_visit_that_the_server_does_not_have_is_given_up_and_named(desk: Desk) -> None:
    desk.computer.add("never-recorded")
    report = desk.look()
    assert (report.unknown, report.waiting) == (("never-recorded",), 0)
    assert desk.names("face") == []


@pytest.mark.parametrize("visit_id", ["../../etc/x", "a/b", ".x", "", "x" * 65])
def test_a_visit_id_that_leads_out_of_the_folder_is_not_a_name(desk: Desk, visit_id: str) -> None:
    with pytest.raises(ValueError, match="no file name"):
        ReceiptFolder(desk.root, INSTITUTION).write_face(visit_id, confirmed(HANAKO))


# --- the folder cannot be used ---


@pytest.mark.parametrize("gone", ["", "face", "req", "res"])
def test_a_missing_folder_is_named_and_the_visit_is_written_when_it_is_back(desk: Desk, gone: str) -> None:
    away = desk.root.with_name("away")
    (desk.root / gone).rename(away)
    desk.computer.add("visit-1")
    report = desk.look()
    assert report.waiting == 1
    assert f"{desk.root / gone} が見つかりません" in report.problem
    # Nothing is asked for and nothing is kept while it cannot be written.
    assert desk.asked == []
    away.rename(desk.root / gone)
    report = desk.look(after=RETRY_S)
    assert (report.written, report.waiting, report.problem) == ({"visit-1": ()}, 0, "")


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (errno.ENOSPC, Trouble.FULL),
        (errno.EDQUOT, Trouble.FULL),
        (errno.EROFS, Trouble.READ_ONLY),
        (errno.EACCES, Trouble.READ_ONLY),
        (errno.ENOENT, Trouble.MISSING),
        (errno.EIO, Trouble.UNUSABLE),
        (errno.ESTALE, Trouble.UNUSABLE),
    ],
)
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_write_that_fails_says_why_and_where_and_leaves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, call: str, number: int, trouble: Trouble
) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(f"consent.receipt_files.folder.os.{call}", fail)
        with pytest.raises(ReceiptFolderError) as failed:
            ReceiptFolder(desk.root, INSTITUTION).write_face("visit-1", confirmed(HANAKO))
    assert failed.value.trouble is trouble
    assert str(failed.value).startswith(f"{desk.root / 'face'}: {trouble}")
    assert desk.names("face") == []


def test_a_full_disk_is_left_alone_for_a_while_and_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    desk.computer.add("visit-1")
    with monkeypatch.context() as patch:
        patch.setattr("consent.receipt_files.folder.os.fsync", full)
        assert "空き容量がありません" in desk.look().problem
        assert "空き容量がありません" in desk.look(after=RETRY_S / 2).problem
        assert desk.asked == ["visit-1"]
    assert desk.look(after=RETRY_S).written == {"visit-1": ()}
    assert desk.asked == ["visit-1", "visit-1"]


def test_without_the_server_visits_wait_and_are_asked_for_again(desk: Desk) -> None:
    desk.failure = Unreachable("away")
    desk.computer.add("visit-1")
    report = desk.look()
    assert (report.waiting, bool(report.problem)) == (1, True)
    assert desk.look(after=RETRY_S / 2).waiting == 1
    assert len(desk.asked) == 1
    desk.failure = None
    assert desk.look(after=RETRY_S).written == {"visit-1": ()}


def test_a_bad_answer_for_one_visit_holds_up_no_other(desk: Desk) -> None:
    desk.failure = BadAnswer("odd")
    desk.completed["visit-2"] = confirmed(HANAKO)
    desk.computer.add("visit-1")
    desk.computer.add("visit-2")
    report = desk.look()
    assert (list(report.written), report.waiting, bool(report.problem)) == (["visit-2"], 1, True)
    desk.look(after=RETRY_S / 2)
    assert desk.asked == ["visit-1", "visit-2"]
    desk.failure = None
    assert list(desk.look(after=RETRY_S).written) == ["visit-1"]


# --- requests ---


def test_a_query_is_answered_once_it_looked_the_same_for_300_ms_and_is_gone(desk: Desk) -> None:
    desk.request(QUERY)
    assert desk.look().answered == 0
    assert desk.look(after=SETTLED_S - 0.01).answered == 0
    assert desk.queries == []
    assert desk.look(after=0.02).answered == 1
    assert (desk.names("req"), desk.names("res"), desk.names("refused")) == ([], ["OQSsiquc01res_1.xml"], [])
    answer = desk.result()
    assert answer.header.file_id == "f-1"
    assert answer.body
    assert answer.body.query == desk.queries[0][0]
    assert desk.queries[0][1] == date(2026, 4, 1)
    assert answer.body.results[0].name == HANAKO.name
    assert desk.look(after=10).answered == 0
    assert len(desk.queries) == 1


def test_a_query_for_no_day_asks_for_today(desk: Desk) -> None:
    desk.request(re.sub("<QualificationConfirmationDate>.*</QualificationConfirmationDate>", "", QUERY))
    desk.settle()
    assert desk.queries[0][1] == AT.date()
    assert desk.result().header.confirmed_on == AT.date()


def test_the_oral_consent_reaches_the_server_and_only_then_the_limit_the_file(desk: Desk) -> None:
    asked = Query("123456", "4260", date(1980, 6, 17), limit_consent=ConsentFlag.GIVEN)
    desk.answer = confirmed(without_card(HANAKO, asked, AT, limit_certificate("A03")))
    desk.request(QUERY, "OQSsiquc01req_yes.xml")
    desk.request(QUERY.replace("Flg>1<", "Flg>0<"), "OQSsiquc01req_no.xml")
    desk.settle()
    yes, no = desk.result("OQSsiquc01res_yes.xml"), desk.result("OQSsiquc01res_no.xml")
    assert yes.body
    assert no.body
    assert yes.body.results[0].limit == limit_certificate("A03")
    assert no.body.results[0].limit is None


@pytest.mark.parametrize("validity", [Validity.NOT_FOUND, Validity.AMBIGUOUS])
def test_nobody_or_several_are_an_answer_not_an_error(desk: Desk, validity: Validity) -> None:
    desk.answer = Confirmation(AT, validity)
    desk.request(QUERY)
    desk.settle()
    answer = desk.result()
    assert answer.body
    assert (answer.body.status, answer.body.validity, answer.body.results) == (Status.DONE, validity, ())


@pytest.mark.parametrize(
    ("failing", "code"),
    [
        (Unreachable("away"), "SERVER_UNREACHABLE"),
        (Refused("TERMINAL_UNKNOWN"), "TERMINAL_UNKNOWN"),
        (BadAnswer("odd"), "SERVER_BAD_ANSWER"),
        (Refusal("OUT_OF_HOURS", "x"), "OUT_OF_HOURS"),
    ],
)
def test_a_query_that_cannot_be_met_is_answered_with_the_reason(
    desk: Desk, failing: Exception | Refusal, code: str
) -> None:
    desk.answer = failing
    desk.request(QUERY)
    assert desk.settle().answered == 1
    answer = desk.result()
    assert answer.body
    assert (answer.body.status, answer.body.code) == (Status.ERROR, code)
    assert desk.names("req") == []


def test_a_chart_number_is_registered_and_acknowledged(desk: Desk) -> None:
    desk.request(REGISTRATION.encode("cp932"), "OQSsiimm01req_202604010001.xml")
    desk.settle()
    assert [one.reference_number for one in desk.registered] == ["0024434"]
    answer = desk.result("OQSsiimm01res_202604010001.xml")
    assert answer.body
    assert (answer.body.status, answer.body.reference_number) == (Status.DONE, "0024434")


def test_a_chart_number_that_is_not_taken_is_answered_with_the_reason(desk: Desk) -> None:
    desk.refusal = Refusal("INSURED_UNKNOWN", "該当する資格がありません。")
    desk.request(REGISTRATION.encode("cp932"), "OQSsiimm01req_1.xml")
    desk.settle()
    answer = desk.result("OQSsiimm01res_1.xml")
    assert answer.body
    assert (answer.body.status, answer.body.code) == (Status.ERROR, "INSURED_UNKNOWN")


def test_a_request_still_being_written_waits_for_its_end(desk: Desk) -> None:
    half = QUERY[: len(QUERY) // 2]
    for part in (half, half + " ", half + "  "):
        desk.request(part)
        desk.look(after=SOON)
    # It pauses, shorter than our patience.
    assert desk.look(after=PATIENCE_S - 0.1).refused == 0
    desk.request(QUERY)
    report = desk.settle()
    assert (report.answered, report.refused) == (1, 0)


def test_a_request_that_stays_half_is_refused_and_set_aside(desk: Desk) -> None:
    desk.request(QUERY[:200])
    desk.look()
    assert desk.look(after=PATIENCE_S).refused == 1
    assert (desk.names("req"), desk.names("refused")) == ([], ["OQSsiquc01req_1.xml"])
    answer = desk.result()
    assert (answer.header.segment, answer.header.error_code) == (Segment.ABNORMAL, Fault.NOT_XML)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (QUERY.replace("4260", ""), Fault.MISSING),
        (QUERY.replace("<XmlMsg>", '<!DOCTYPE a [<!ENTITY b "c">]><XmlMsg>'), Fault.DTD),
        (QUERY + " " * MAX_BYTES, Fault.TOO_LONG),
        (QUERY.replace("1311111111", "1399999999"), Fault.INSTITUTION),
    ],
)
def test_a_request_that_is_off_gets_an_error_file_and_is_set_aside(
    desk: Desk, content: str, fault: Fault
) -> None:
    desk.request(content)
    assert desk.settle().refused == 1
    assert desk.result().header.error_code == fault
    assert (desk.names("req"), desk.names("refused")) == ([], ["OQSsiquc01req_1.xml"])
    assert desk.queries == []


def test_a_link_a_pipe_and_a_folder_are_refused_without_being_followed(desk: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text(QUERY, encoding="utf-8")
    requests = desk.root / "req"
    (requests / "OQSsiquc01req_link.xml").symlink_to(secret)
    os.mkfifo(requests / "OQSsiquc01req_pipe.xml")
    (requests / "OQSsiquc01req_folder.xml").mkdir()
    desk.look()
    assert desk.look(after=PATIENCE_S).refused == 3
    assert desk.queries == []
    assert secret.exists()
    assert desk.names("req") == []
    assert len(desk.names("refused")) == 3


def test_what_is_refused_twice_under_one_name_is_kept_twice(desk: Desk) -> None:
    for content in ("<a/>", "<b/>"):
        desk.request(content)
        desk.settle()
    assert desk.names("refused") == ["OQSsiquc01req_1.2.xml", "OQSsiquc01req_1.xml"]


@pytest.mark.parametrize("middle", ["長" * 70, "a" * 150, "a b;'\n$(x)", "\udcff"])
def test_odd_names_are_answered_like_any_other(desk: Desk, middle: str) -> None:
    desk.request(QUERY, f"OQSsiquc01req_{middle}.xml")
    assert desk.settle().answered == 1
    assert desk.names("res") == [f"OQSsiquc01res_{middle}.xml"]


def test_refused_requests_do_not_fill_the_disk(desk: Desk) -> None:
    (desk.root / "refused").mkdir()
    for number in range(MAX_REFUSED + 5):
        old = desk.root / "refused" / f"OQSsiquc01req_old{number}.xml"
        old.write_bytes(b"x")
        os.utime(old, (number, number))
    desk.request("<a/>")
    desk.settle()
    kept = desk.names("refused")
    assert len(kept) == MAX_REFUSED
    assert "OQSsiquc01req_1.xml" in kept
    assert "OQSsiquc01req_old0.xml" not in kept


def test_other_programs_files_are_left_alone(desk: Desk) -> None:
    others = ["OQSsiquc01req_1.xml.tmp", "readme.txt", "Thumbs.db"]
    for name in others:
        (desk.root / "req" / name).write_text(QUERY, encoding="utf-8")
    desk.settle()
    assert desk.names("req") == sorted(others)
    assert desk.names("res") == []


def test_a_new_request_under_an_answered_name_is_answered_anew(desk: Desk) -> None:
    desk.request(QUERY)
    desk.settle()
    desk.request(QUERY.replace("f-1", "f-2"))
    assert desk.settle().answered == 1
    assert desk.result().header.file_id == "f-2"


def test_a_request_that_cannot_be_removed_is_answered_once_and_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it holds up no other, as it did: the whole folder rested for it."""
    remove = os.unlink

    def immutable(name: str, **where: int) -> None:
        if name.endswith("_1.xml"):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        remove(name, **where)

    desk.request(QUERY, "OQSsiquc01req_1.xml")
    desk.request(QUERY, "OQSsiquc01req_2.xml")
    with monkeypatch.context() as patch:
        patch.setattr("consent.receipt_files.folder.os.unlink", immutable)
        report = desk.settle()
        assert report.answered == 2
        assert "書き込めません" in report.problem
        assert desk.names("req") == ["OQSsiquc01req_1.xml"]
        desk.request(QUERY, "OQSsiquc01req_3.xml")
        assert desk.settle().answered == 1
        assert "削除できません" in desk.look().problem
    desk.look(after=LONGEST_RETRY_S)
    assert desk.names("req") == []
    assert desk.look().problem == ""
    assert len(desk.queries) == 3


def test_what_others_prepare_under_our_unfinished_names_is_neither_filled_nor_waited_for(
    desk: Desk, tmp_path: Path
) -> None:
    """The old name could be computed: a pipe there hung the back office, a hard link took the data elsewhere."""
    name = "OQSsiquc01res_face_visit-1_20260401090005.xml"
    old = f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.tmp"
    outside = tmp_path / "outside"
    outside.write_text("theirs")
    os.link(outside, desk.root / "face" / old)
    os.mkfifo(desk.root / "face" / name)
    desk.computer.add("visit-1")
    assert desk.look().written == {"visit-1": ()}
    assert outside.read_text() == "theirs"
    assert (desk.root / "face" / name).is_file()
    (desk.root / "face" / old).unlink()


def test_a_folder_that_is_a_link_is_refused_and_nothing_behind_it_is_touched(
    desk: Desk, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for number in range(MAX_REFUSED + 5):
        (outside / f"OQSsiquc01req_{number:04}.xml").write_text("theirs")
    (desk.root / "refused").symlink_to(outside)
    desk.request(b"<no", "OQSsiquc01req_1.xml")
    desk.request(QUERY, "OQSsiquc01req_2.xml")
    assert desk.settle().answered == 1
    assert desk.look(after=PATIENCE_S).problem
    assert len(list(outside.iterdir())) == MAX_REFUSED + 5
    assert desk.names("req") == ["OQSsiquc01req_1.xml"]

    (desk.root / "face").rename(desk.root / "real")
    (desk.root / "face").symlink_to(outside)
    desk.computer.add("visit-1")
    assert desk.look(after=RETRY_S).written == {}
    assert len(list(outside.iterdir())) == MAX_REFUSED + 5


@pytest.mark.parametrize(
    "number", [errno.ENOTCONN, errno.EACCES, errno.ESTALE, errno.ENAMETOOLONG, errno.EIO, errno.ELOOP]
)
def test_a_share_that_died_is_told_and_never_raises(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def dead(*_given: object, **_more: object) -> int:
        raise OSError(number, os.strerror(number))

    desk.computer.add("visit-1")
    with monkeypatch.context() as patch:
        patch.setattr("consent.receipt_files.folder.os.open", dead)
        report = desk.look()
    assert str(desk.root) in report.problem
    assert desk.look(after=RETRY_S).written == {"visit-1": ()}


def test_a_visit_whose_file_cannot_be_written_holds_up_no_other(desk: Desk) -> None:
    desk.completed["visit-2"] = desk.completed["visit-1"]
    (desk.root / "face" / "OQSsiquc01res_face_visit-1_20260401090005.xml").mkdir()
    desk.computer.add("visit-1")
    desk.computer.add("visit-2")
    report = desk.look()
    assert (report.written, report.waiting, bool(report.problem)) == ({"visit-2": ()}, 1, True)


def test_an_answer_whose_name_is_taken_holds_up_no_other(desk: Desk) -> None:
    (desk.root / "res" / "OQSsiquc01res_1.xml").mkdir()
    desk.request(QUERY, "OQSsiquc01req_1.xml")
    desk.request(QUERY, "OQSsiquc01req_2.xml")
    report = desk.settle()
    assert (report.answered, bool(report.problem)) == (1, True)
    assert desk.names("req") == ["OQSsiquc01req_1.xml"]


def test_many_requests_do_not_hold_up_the_visits(desk: Desk) -> None:
    for number in range(MAX_QUESTIONS + 3):
        desk.request(QUERY, f"OQSsiquc01req_{number:02}.xml")
    desk.look()
    assert desk.look(after=SOON).answered == MAX_QUESTIONS
    assert desk.look().answered == 3


def test_a_terminal_that_answers_no_requests_leaves_them_to_another(desk: Desk) -> None:
    silent = ReceiptFolderService(
        ReceiptFolder(desk.root, INSTITUTION), desk._ask, seconds=lambda: desk.seconds
    )
    desk.request(QUERY)
    silent.look()
    desk.seconds += PATIENCE_S
    silent.look()
    assert desk.names("req") == ["OQSsiquc01req_1.xml"]


def test_malformed_requests_get_a_whole_answer_each() -> None:
    assert check_requests(random.Random(20260401), 300) == ""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_malformed_requests_get_a_whole_answer_each() -> None:
    assert check_requests(random.Random(20261123), 10_000) == ""


def test_the_check_of_malformed_requests_sees_an_answer_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ReceiptFolder, "write", lambda *_arguments: None)
    assert "answers are missing" in check_requests(random.Random(1), 20)
