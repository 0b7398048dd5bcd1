"""The life of a certificate: what each act makes of it, and of the phone's that hangs on the card's."""

from datetime import date, datetime, timedelta

import pytest

from config.person import load_person
from consent.attributes.rules import RevocationReason
from consent.server.life import Act, ActKind, LifeError, Medium, check, generations, next_expiry
from consent.wire import JAPAN

CARD, PHONE = load_person("age45"), load_person("phone-ios")
AT = datetime(2026, 4, 1, 9, tzinfo=JAPAN)


def acts(person: str, *done: tuple[ActKind, Medium]) -> list[Act]:
    return [
        Act(AT + timedelta(minutes=number), person, kind, medium, expires=date(2031, 6, 17))
        for number, (kind, medium) in enumerate(done)
    ]


def test_a_renewed_card_has_two_certificates_of_which_only_the_new_one_counts() -> None:
    old, new = generations(CARD, acts("age45", ("renew", "card")))
    assert (old.state, old.reason) == ("revoked", RevocationReason.SUPERSEDED)
    assert (new.state, new.person.certificate.issue) == ("good", 2)


def test_a_suspended_certificate_comes_back_when_it_is_resumed() -> None:
    assert generations(CARD, acts("age45", ("suspend", "card")))[-1].state == "on-hold"
    assert generations(CARD, acts("age45", ("suspend", "card"), ("resume", "card")))[-1].state == "good"


@pytest.mark.parametrize("kind", ["renew", "revoke"])
def test_a_phones_certificate_ends_with_the_cards(kind: ActKind) -> None:
    assert generations(PHONE, acts("phone-ios", (kind, "card")))[-1].state == "revoked"


def test_a_phones_certificate_is_issued_anew_from_a_card_that_counts() -> None:
    done = acts("phone-ios", ("renew", "card"))
    check(PHONE, done, Act(AT, "phone-ios", "issue", "phone"))
    again = [*done, *acts("phone-ios", ("issue", "phone"))]
    assert generations(PHONE, again)[-1].state == "good"


def test_a_phone_gets_no_certificate_from_a_card_that_is_revoked() -> None:
    done = acts("phone-ios", ("revoke", "card"))
    with pytest.raises(LifeError, match="issued from the card's, which is revoked"):
        check(PHONE, done, Act(AT, "phone-ios", "issue", "phone"))


@pytest.mark.parametrize(
    ("done", "kind", "words"),
    [
        ([], "resume", "only a suspended one"),
        ([("suspend", "card")], "suspend", "only a good one"),
        ([("revoke", "card")], "revoke", "revoked already"),
        ([("revoke", "card")], "renew", "issue a new one"),
        ([], "issue", "revoke it first"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_can_be_done(
    done: list[tuple[ActKind, Medium]], kind: ActKind, words: str
) -> None:
    with pytest.raises(LifeError, match=words):
        check(CARD, acts("age45", *done), Act(AT, "age45", kind))


def test_a_list_of_midnight_does_not_know_what_was_done_in_the_morning() -> None:
    (revoked,) = generations(CARD, acts("age45", ("revoke", "card")))
    assert revoked.as_of(AT - timedelta(hours=9)).state == "good"
    assert revoked.as_of(AT + timedelta(hours=15)).state == "revoked"


def test_a_certificate_ends_on_the_fifth_birthday_from_now() -> None:
    assert next_expiry(date(1980, 6, 17), date(2026, 4, 1)) == date(2030, 6, 17)
    assert next_expiry(date(1980, 6, 17), date(2026, 6, 17)) == date(2031, 6, 17)
    assert next_expiry(date(1980, 2, 29), date(2026, 4, 1)) == date(2031, 2, 28)
