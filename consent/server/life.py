"""The life of a certificate: issued, renewed, suspended, resumed, revoked; and a phone's, which hangs on the card's.

Pure: what was done (acts) and what follows from it. Sources: leaflet of 2023 (phone certificates), RFC 5280 (reasons).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from config.person import CertificateState, Person
from consent.attributes.rules import RevocationReason

ActKind = Literal["issue", "renew", "suspend", "resume", "revoke", "move"]
Medium = Literal["card", "phone"]
REASONS: dict[str, RevocationReason] = {
    "holder": RevocationReason.CESSATION,
    "lost": RevocationReason.KEY_COMPROMISE,
    "sold": RevocationReason.CESSATION,
    "repaired": RevocationReason.CESSATION,
    "moved": RevocationReason.AFFILIATION_CHANGED,
}
"""What can be said with ``--reason`` when a certificate is revoked."""
CERTIFICATE_YEARS = 5


class LifeError(Exception):
    """It cannot be done to the certificate now; ``str()`` says why and what can."""


@dataclass(frozen=True)
class Act:
    """One thing that was done at the authority."""

    at: datetime
    person: str
    """Id of the person file."""
    kind: ActKind
    medium: Medium = "card"
    reason: str = ""
    expires: date | None = None
    """Of the new certificate, on issue and renew."""


@dataclass(frozen=True)
class Generation:
    """One certificate of a person, with what became of it."""

    person: Person = field(repr=False)
    """The person as this certificate was issued to them."""
    state: CertificateState
    since: datetime | None = None
    """When it was revoked or put on hold; None: it was not, or before anything was written down."""
    reason: RevocationReason | None = None

    @property
    def ended(self) -> bool:
        """Say whether it can never count again."""
        return self.state == "revoked"

    def as_of(self, moment: datetime) -> "Generation":
        """Return it as a list of that moment knows it: what was done later is not in it."""
        if self.since is None or self.since <= moment:
            return self
        return Generation(self.person, "good")


def generations(person: Person, acts: Iterable[Act]) -> tuple[Generation, ...]:
    """Return every user-authentication certificate of a person, oldest first, after all that was done.

    Of somebody who comes with a phone it is the phone's certificate: it was issued from the card's, and ends with it.
    """
    found = [Generation(person, person.certificate.status)]
    for act in acts:
        if act.kind == "move" or (act.medium == "phone" and not person.card.is_phone):
            # A move ends the signature certificate only; a phone of somebody else's file is not this one.
            continue
        found = _after(found, act)
    return tuple(found)


def _after(found: list[Generation], act: Act) -> list[Generation]:
    *before, last = found
    card_of_phone = last.person.card.is_phone and act.medium == "card"
    match act.kind:
        case "issue" | "renew" if card_of_phone:
            # The card behind the phone is a new one; the phone's certificate hung on the old one.
            return [*before, _revoked(last, act, RevocationReason.SUPERSEDED)]
        case "issue" | "renew":
            new = Generation(_renewed(last.person, act.expires), "good")
            return [*before, _revoked(last, act, RevocationReason.SUPERSEDED), new]
        case "suspend" if last.state == "good":
            return [*before, Generation(last.person, "on-hold", act.at, RevocationReason.HOLD)]
        case "resume" if last.state == "on-hold":
            return [*before, Generation(last.person, "good")]
        case "revoke":
            reason = REASONS.get(act.reason, RevocationReason.CESSATION)
            return [*before, _revoked(last, act, reason)]
    return found


def _revoked(generation: Generation, act: Act, reason: RevocationReason) -> Generation:
    if generation.ended:
        return generation
    return Generation(generation.person, "revoked", act.at, reason)


def _renewed(person: Person, expires: date | None) -> Person:
    certificate = person.certificate
    return replace(
        person,
        certificate=replace(
            certificate, expires=expires or certificate.expires, status="good", issue=certificate.issue + 1
        ),
        card=replace(person.card, expires=max(person.card.expires, expires or person.card.expires)),
    )


def card_state(acts: Sequence[Act]) -> CertificateState:
    """Return what the card behind a phone is worth, by the acts on it alone."""
    state: CertificateState = "good"
    for act in acts:
        if act.medium == "card":
            match act.kind:
                case "suspend" if state == "good":
                    state = "on-hold"
                case "resume" if state == "on-hold":
                    state = "good"
                case "revoke":
                    state = "revoked"
                case "issue" | "renew":
                    state = "good"
    return state


def check(person: Person, acts: Sequence[Act], act: Act) -> None:
    """Raise LifeError unless the act can be done now."""
    who = f"person {person.id!r}"
    if act.medium == "phone" and not person.card.is_phone:
        raise LifeError(
            f'{who}: brings a card; take a person file with card.kind "phone-android" or "phone-ios"'
        )
    now = generations(person, acts)[-1]
    state = now.state
    if person.card.is_phone and act.medium == "card":
        state = card_state(acts)
    what = f"the {'phone' if act.medium == 'phone' else 'card'}'s certificate"
    match act.kind:
        case "issue" if state != "revoked":
            raise LifeError(f"{who}: {what} is {state}; revoke it first, or renew it")
        case "issue" if act.medium == "phone" and card_state(acts) != "good":
            raise LifeError(
                f"{who}: a phone's certificate is issued from the card's, which is {card_state(acts)}"
            )
        case "renew" if act.medium == "phone":
            raise LifeError(f"{who}: a phone's certificate is not renewed; issue a new one from the card's")
        case "renew" if state == "revoked":
            raise LifeError(f"{who}: {what} is revoked; issue a new one")
        case "suspend" if state != "good":
            raise LifeError(f"{who}: {what} is {state}; only a good one can be suspended")
        case "resume" if state != "on-hold":
            raise LifeError(f"{who}: {what} is {state}; only a suspended one can be resumed")
        case "revoke" if state == "revoked":
            raise LifeError(f"{who}: {what} is revoked already")
        case "revoke" if act.reason and act.reason not in REASONS:
            raise LifeError(f"--reason {act.reason}: should be one of {', '.join(REASONS)}")


def next_expiry(birth: date, today: date) -> date:
    """Return the last day of a certificate issued today: the fifth birthday from now on."""
    passed = (today.month, today.day) >= (birth.month, birth.day)
    year = today.year + CERTIFICATE_YEARS + (0 if passed else -1)
    day = 28 if (birth.month, birth.day) == (2, 29) else birth.day
    return date(year, birth.month, day)
