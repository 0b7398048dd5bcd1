"""最新4情報: the nightly job finds exactly who moved, asks once, and gives nothing without a consent."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from consent.attributes import wire
from consent.attributes.ledger import CaseState
from consent.attributes.rules import (
    Answer,
    Attribute,
    ConsentState,
    period,
    reminder_due,
    state_of,
)
from consent.server.refusal import Refusal
from consent.wire import JAPAN
from tests.support.attribute_parties import CLINIC, DAY, OLD_ADDRESS, Killed, Town, consent, customer


@pytest.fixture(scope="session")
def authority_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority")


@pytest.fixture
def town(tmp_path: Path, authority_state: Path) -> Iterator[Town]:
    made = Town(tmp_path, authority_state, 20)
    yield made
    made.close()


def _killed(town: Town) -> bool:
    try:
        town.job().run()
    except Killed:
        return True
    return False


METHODS: tuple[wire.Method, ...] = ("crl", "ocsp")


MANY = pytest.param(10_000, marks=pytest.mark.long)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("customers", [1_000, MANY])
def test_of_many_customers_exactly_the_one_in_a_hundred_who_moved_is_found(
    tmp_path: Path, authority_state: Path, method: wire.Method, customers: int
) -> None:
    town, movers = Town(tmp_path, authority_state, customers), customers // 100
    moved = sorted(random.Random(20).sample(range(customers), movers))
    town.move_all(moved)
    town.midnight()
    report = town.job(method).run()
    print("\n".join(report.lines()))
    assert sorted(town.operator.asked) == [customer(number) for number in moved]
    told = (report.customers, report.matched, report.delivered, report.charged)
    assert told == (customers, movers, movers, movers)
    assert report.authority_requests == (1 if method == "crl" else customers)
    assert {case.customer for case in town.worklist.cases()} == {customer(number) for number in moved}
    again = town.job(method).run()
    assert (again.matched, again.asked, again.charged) == (0, 0, 0)
    assert town.parties.registry.charges(CLINIC) == movers
    town.close()


def test_killed_after_any_answer_nobody_is_asked_or_charged_twice(
    tmp_path: Path, authority_state: Path
) -> None:
    for after in range(1, 12):
        folder = tmp_path / str(after)
        folder.mkdir()
        town = Town(folder, authority_state, 12)
        town.move_all(range(8))
        town.midnight()
        town.operator.after = after
        while not _killed(town):
            pass
        town.reopen()
        town.operator.after = 0
        town.job().run()
        # The question whose answer was lost goes out again under its number; no other does.
        repeated = [each for each in set(town.operator.asked) if town.operator.asked.count(each) > 1]
        assert len(repeated) <= 1, after
        assert town.parties.registry.charges(CLINIC) == 8, after
        assert len(town.worklist.cases()) == 8, after
        town.close()


def test_the_list_knows_a_move_from_the_next_midnight_and_the_responder_within_a_quarter_of_an_hour(
    town: Town,
) -> None:
    town.now = town.now.replace(hour=10, minute=7)
    town.move(3)
    assert town.job("ocsp").run().matched == 0
    town.now = town.now.replace(minute=15)
    assert town.job("crl").run().matched == 0
    assert town.job("ocsp").run().matched == 1
    town.midnight()
    assert [case.customer for case in town.worklist.cases()] == [customer(3)]


def test_nothing_is_given_before_a_new_certificate_exists(town: Town) -> None:
    town.move(2, new_certificate=False)
    town.midnight()
    report = town.job().run()
    assert (report.waiting, report.delivered, report.charged) == (1, 0, 0)
    assert town.worklist.cases() == ()
    town.parties.act(town.people[2], "renew")
    town.midnight()
    assert town.job().run().delivered == 1


def test_nothing_is_given_after_a_withdrawal_and_what_waited_is_forgotten(town: Town) -> None:
    for number in (1, 2):
        town.know(number)
        town.move(number)
    town.midnight()
    town.job().run()
    town.parties.registry.withdraw(consent(1))
    town.move(1)
    town.midnight()
    report = town.job().run()
    assert (report.withdrawn, report.asked) == (1, 0)
    assert [case.customer for case in town.worklist.cases()] == [customer(2)]
    assert town.worklist.patient(customer(1)).attributes == {}
    assert list(town.folder.rglob(f"*{customer(1)}*")) == []


def test_j_lis_gives_nothing_to_an_operator_whose_clinic_did_not_notice_the_withdrawal(town: Town) -> None:
    town.move(1)
    town.midnight()
    (match,) = town.operator.matches("crl", link_serials=True).matches
    town.parties.registry.withdraw(consent(1))
    told = town.operator.attributes(match.match_id, customer(1), town.items, link_serials=True)
    assert (told.answer, told.attributes, told.charged) == (Answer.NO_CONSENT, {}, False)


def test_a_consent_given_today_gives_nothing_before_midnight(town: Town) -> None:
    town.now = DAY + timedelta(hours=1)
    town.move(4)
    town.now += timedelta(minutes=20)
    report = town.job("ocsp").run()
    assert (report.matched, report.asked) == (1, 0)
    town.midnight()
    assert town.job("ocsp").run().delivered == 1


def test_only_what_was_consented_to_is_asked_and_given(tmp_path: Path, authority_state: Path) -> None:
    town = Town(tmp_path, authority_state, 3, items=(Attribute.ADDRESS,))
    town.know(1)
    town.parties.act(town.people[1], "move", address="大阪府大阪市1", name="新姓")
    town.midnight()
    town.job().run()
    assert town.operator.items_asked == {(Attribute.ADDRESS,)}
    (match,) = town.ledger.cases(CaseState.DELIVERED)
    told = town.operator.attributes(
        match.match_id, customer(1), (Attribute.NAME, Attribute.ADDRESS), link_serials=True
    )
    assert set(told.attributes) == {Attribute.ADDRESS}
    (case,) = town.worklist.cases()
    assert [row[0] for row in case.side_by_side() if row[3]] == [Attribute.ADDRESS]
    town.close()


def test_a_renewal_alone_tells_nothing_and_costs_nothing(town: Town) -> None:
    town.parties.act(town.people[5], "renew")
    town.midnight()
    report = town.job().run()
    assert (report.matched, report.asked, report.charged) == (1, 0, 0)
    town.move(5)
    town.midnight()
    assert town.job().run().delivered == 1, "the customer was lost with the old serial"


def test_without_linking_a_customer_is_not_followed_to_the_new_certificate(town: Town) -> None:
    town.move(6)
    town.midnight()
    assert town.job(link_serials=False).run().delivered == 1
    town.move(6)
    town.midnight()
    assert town.job(link_serials=False).run().matched == 0


def test_a_suspended_certificate_is_waited_for(town: Town) -> None:
    town.parties.act(town.people[7], "suspend")
    town.midnight()
    report = town.job().run()
    assert (report.matched, report.asked) == (1, 0)
    town.parties.act(town.people[7], "resume")
    town.move(7)
    town.midnight()
    assert town.job().run().delivered == 1


def test_another_clinic_learns_nothing_of_a_customer(town: Town) -> None:
    town.move(1)
    town.midnight()
    (match,) = town.operator.matches("crl", link_serials=True).matches
    stolen = wire.AttributesQuestion(
        institution_code="9999999999",
        match_id=match.match_id,
        customer=customer(1),
        items=town.items,
        link_serials=True,
    )
    with pytest.raises(Refusal) as refused:
        town.parties.operator.attributes(stolen)
    assert refused.value.code == "MATCH_UNKNOWN"


def test_staff_see_old_and_new_side_by_side_and_the_accepted_address_is_a_note(town: Town) -> None:
    town.know(3)
    town.move(3)
    town.midnight()
    town.job().run()
    (case,) = town.worklist.cases()
    assert case.reference_number == "000003"
    assert (Attribute.ADDRESS, OLD_ADDRESS, "大阪府大阪市3", True) in case.side_by_side()
    assert town.desk.accept(case.match_id, "staff-1")
    assert not town.desk.accept(case.match_id, "staff-2")
    (note,) = (town.folder / "attributes" / "notes").iterdir()
    text = note.read_text(encoding="utf-8")
    assert "大阪府大阪市3" in text
    assert "<Address>" not in text, "the insurer's field is never written"
    assert town.worklist.patient(customer(3)).attributes[Attribute.ADDRESS] == "大阪府大阪市3"
    assert town.worklist.cases() == ()


def test_a_refused_change_leaves_everything_as_it_was(town: Town) -> None:
    town.know(3)
    town.move(3)
    town.midnight()
    town.job().run()
    (case,) = town.worklist.cases()
    assert town.desk.refuse(case.match_id, "staff-1")
    assert not (town.folder / "attributes" / "notes").exists()
    assert town.worklist.patient(customer(3)).attributes[Attribute.ADDRESS] == OLD_ADDRESS


def test_the_clinics_own_disk_holds_no_attribute_and_no_serial(town: Town) -> None:
    town.know(3)
    town.move(3)
    town.midnight()
    town.job().run()
    town.reopen()
    content = (town.folder / "ledger.sqlite").read_bytes()
    for secret in ("大阪府", "住民3", "東京都", "resident-3"):
        assert secret.encode() not in content


def test_the_operator_keeps_no_attribute(tmp_path: Path, authority_state: Path) -> None:
    import sqlalchemy as sa

    from consent.server.jlis.store import customers, invitations, matches

    town = Town(tmp_path, authority_state, 3)
    town.move(1)
    town.midnight()
    town.job().run()
    with town.parties.acts.reading() as connection:
        for table in (customers, matches, invitations):
            assert "大阪" not in str(connection.execute(sa.select(table)).all())
    town.close()


def test_a_consent_holds_ten_years_from_the_next_midnight() -> None:
    held = period(datetime(2023, 5, 18, 10, tzinfo=JAPAN))
    assert held.begins_at == datetime(2023, 5, 19, tzinfo=JAPAN)
    assert held.ends_at == datetime(2033, 5, 18, 23, 59, 59, tzinfo=JAPAN)
    assert state_of(held, None, datetime(2023, 5, 18, 23, 59, 59, tzinfo=JAPAN)) is ConsentState.COMING
    assert state_of(held, None, held.begins_at) is ConsentState.STANDS
    assert state_of(held, None, held.ends_at + timedelta(seconds=1)) is ConsentState.ENDED


def test_a_consent_of_28_february_of_a_leap_year_ends_on_a_day_that_exists() -> None:
    assert period(datetime(2028, 2, 28, 10, tzinfo=JAPAN)).ends_at == datetime(
        2038, 2, 27, 23, 59, 59, tzinfo=JAPAN
    )


def test_the_reminder_comes_once_a_year() -> None:
    received = date(2026, 4, 1)
    assert not reminder_due(received, None, date(2027, 3, 31))
    assert reminder_due(received, None, date(2027, 4, 1))
    assert not reminder_due(received, date(2027, 4, 1), date(2028, 3, 31))
    assert reminder_due(received, date(2027, 4, 1), date(2028, 4, 1))


def test_the_job_reminds_each_patient_once_a_year(town: Town) -> None:
    town.now = DAY.replace(year=2027, month=4, day=2)
    assert len(town.job().run().reminders) == 20
    assert town.job().run().reminders == ()
    assert len(town.ledger.reminders()) == 20
