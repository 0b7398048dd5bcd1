"""The visit as a state machine, on a made clock."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.choices import ConsentAnswer, Item, PrescriptionForm
from reception import flow
from reception.flow import COMMITTED, REVOCABLE, TRANSITIONS, Effect, Event, Method, Session, State
from reception.flow.failures import FailureCode
from reception.flow.outcomes import enter, new_visit
from reception.flow.session import VisitProgress
from tests.support.walk import CONFIG, QUESTIONS, Walk, in_state

GIVEN, DECLINED = ConsentAnswer.GIVEN, ConsentAnswer.DECLINED
T = TypeVar("T")
WALKED = tuple(State)


@pytest.mark.parametrize("state", WALKED)
def test_every_state_can_be_walked_to(state: State) -> None:
    assert in_state(state).state() is state


@pytest.mark.parametrize("state", REVOCABLE)
def test_a_card_removed_before_the_end_of_the_consents_ends_the_visit_with_nothing_sent(state: State) -> None:
    walk = in_state(state)

    effects = walk.on(flow.CardRemoved())

    assert walk.state() is State.WAITING
    assert walk.session.visit.failure == f"{state}_CARD_REMOVED"
    assert not walk.session.visit.completed
    assert {Effect.FORGET_VISIT, Effect.WIPE_PIN, Effect.POWER_OFF_CARD, Effect.STOP_FACE} <= set(effects)
    assert Effect.SEND_CONSENTS not in walk.effects


def test_a_card_removed_at_the_limit_question_declines_it_and_the_visit_goes_on() -> None:
    walk = in_state(State.LIMIT_CONSENT)

    effects = walk.on(flow.CardRemoved())

    assert (walk.state(), effects) == (State.SENDING, (Effect.SEND_CONSENTS,))
    assert dict(walk.session.visit.answers)[Item.LIMIT_AMOUNT] is DECLINED
    walk.on(flow.Recorded(walk.occasion))
    assert walk.session.visit.completed
    walk.wait()
    assert walk.state() is State.COMPLETE


def test_a_card_removed_while_sending_never_cancels() -> None:
    walk = in_state(State.SENDING)

    assert walk.on(flow.CardRemoved()) == ()
    assert walk.state() is State.SENDING
    walk.on(flow.Recorded(walk.occasion))
    assert (walk.state(), walk.session.visit.completed) == (State.TAKE_CARD, True)


NEEDS_NO_READER = (State.OUT_OF_SERVICE, State.PHONE_TAP, *COMMITTED)


@pytest.mark.parametrize("state", [each for each in WALKED if each not in NEEDS_NO_READER])
def test_a_reader_lost_before_sending_ends_the_visit_with_nothing_sent(state: State) -> None:
    walk = in_state(state)

    effects = walk.on(flow.ReaderLost(FailureCode.READER_LOST))

    assert walk.state() is State.OUT_OF_SERVICE
    assert walk.session.visit.failure is FailureCode.READER_LOST
    assert Effect.FORGET_VISIT in effects
    assert Effect.SEND_CONSENTS not in walk.effects
    walk.on(flow.ReaderReady())
    assert walk.state() is State.WAITING


@pytest.mark.parametrize("state", flow.OFFERING)
def test_a_reader_lost_during_the_offer_ends_the_offer_and_not_the_visit(state: State) -> None:
    walk = in_state(state)

    walk.on(flow.ReaderLost(FailureCode.READER_LOST))

    assert walk.state() is State.TAKE_CARD
    assert walk.session.visit.completed


@pytest.mark.parametrize("state", [state for state in COMMITTED if state not in flow.OFFERING])
def test_a_reader_lost_from_sending_on_changes_nothing_for_the_patient(state: State) -> None:
    walk = in_state(state)

    walk.on(flow.ReaderLost(FailureCode.READER_LOST))

    assert walk.state() is state
    if state is State.SENDING:
        walk.on(flow.Recorded(walk.occasion))
    while walk.state() is not State.OUT_OF_SERVICE:
        walk.wait()
    assert walk.session.visit.completed
    walk.on(flow.ReaderReady())
    assert walk.state() is State.WAITING


def test_a_reader_that_stays_lost_keeps_nobody_at_the_end_of_their_visit() -> None:
    walk = in_state(State.TAKE_CARD)
    walk.on(flow.ReaderLost(FailureCode.READER_LOST))
    for _ in range(5):
        walk.now += CONFIG.delays.told_s / 4
        walk.on(flow.ReaderLost(FailureCode.READER_LOST), flow.TimePassed())
    assert walk.state() is State.COMPLETE


def test_a_reader_that_stays_lost_is_one_occasion_and_tells_its_newest_reason() -> None:
    walk = in_state(State.WAITING)
    walk.on(flow.ReaderLost(FailureCode.READER_LOST))
    occasion = walk.session.occasion
    effects = walk.on(flow.ReaderLost(FailureCode.READER_SERVICE_DOWN))
    assert (walk.session.occasion, effects) == (occasion, ())
    assert (walk.state(), walk.session.visit.failure) == (
        State.OUT_OF_SERVICE,
        FailureCode.READER_SERVICE_DOWN,
    )


@pytest.mark.parametrize("state", [State.SENDING, State.TAKE_CARD])
def test_a_card_still_in_when_the_reader_comes_back_is_the_one_to_be_taken(state: State) -> None:
    walk = in_state(state)
    walk.on(flow.ReaderLost(FailureCode.READER_LOST), flow.ReaderReady())

    walk.on(flow.CardInserted("visit-2", already_in=True))

    if state is State.SENDING:
        walk.on(flow.Recorded(walk.occasion))
    assert (walk.state(), walk.session.visit.id, walk.session.visit.card_in) == (
        State.TAKE_CARD,
        "visit-1",
        True,
    )
    walk.wait()
    assert (walk.state(), walk.session.reminders) == (State.TAKE_CARD, 1)
    walk.on(flow.CardRemoved())
    assert walk.state() is State.COMPLETE


def test_a_card_found_after_the_own_one_was_taken_begins_a_visit_of_its_own() -> None:
    walk = in_state(State.SENDING)
    walk.on(flow.CardRemoved(), flow.ReaderLost(FailureCode.READER_LOST), flow.ReaderReady())
    walk.on(flow.CardInserted("visit-2", already_in=True), flow.Recorded(walk.occasion))

    assert (walk.state(), walk.session.visit.id) == (State.TAKE_CARD, "visit-1")
    walk.wait()
    walk.wait()
    assert (walk.state(), walk.session.visit.id) == (State.READING, "visit-2")


def test_a_photo_that_nobody_vouches_for_is_told_and_not_offered() -> None:
    walk = in_state(State.READING)
    walk.on(flow.CardRead(walk.occasion, False, 3, photo_genuine=False))

    assert (walk.state(), walk.session.methods) == (State.METHOD_CHOICE, (Method.PIN,))
    assert walk.session.visit.failure is FailureCode.FACE_PHOTO_UNUSABLE


def test_a_blocked_pin_and_no_trusted_photo_leave_the_office_as_the_remedy() -> None:
    walk = in_state(State.READING)
    walk.on(flow.CardRead(walk.occasion, False, 0, photo_genuine=False))

    assert (walk.state(), walk.session.visit.failure) == (State.CALL_STAFF, FailureCode.PIN_BLOCKED)


@pytest.mark.parametrize(
    ("state", "late"),
    [
        (State.READING, flow.CardRead(0, True, 3)),
        (State.READING, flow.WorkFailed(0, FailureCode.CARD_WRONG)),
        (State.PIN_ENTRY, flow.PinVerified(0)),
        (State.PIN_ENTRY, flow.PinMissed(0, 0)),
        (State.FACE_MATCH, flow.FaceMatched(0)),
        (State.FACE_MATCH, flow.FaceFailed(0, FailureCode.FACE_NOT_SEEN)),
        (State.FACE_MATCH, flow.FaceGuided(0, "CLOSER")),
        (State.CHECKING, flow.Identified(0, ())),
        (State.CHECKING, flow.WorkFailed(0, FailureCode.SERVER_UNREACHABLE)),
        (State.SENDING, flow.Recorded(0)),
    ],
)
def test_the_late_answer_of_earlier_work_changes_nothing_and_is_logged(state: State, late: Event) -> None:
    walk = in_state(state)
    before = walk.session

    assert walk.on(late) == (Effect.LOG_LATE_EVENT,)
    assert walk.session is before


@pytest.mark.parametrize("state", WALKED)
def test_an_event_without_a_row_changes_nothing_and_is_logged(state: State) -> None:
    walk = in_state(state)
    before = walk.session
    allowed = {row.event for row in TRANSITIONS if state in row.states}

    for event in some_events(before):
        if type(event) not in allowed:
            assert walk.on(event) == (Effect.LOG_LATE_EVENT,)
            assert walk.session is before


def test_a_pin_miss_stays_at_the_pin_pad_with_the_tries_left() -> None:
    walk = in_state(State.PIN_ENTRY)

    walk.on(flow.PinTyped(4), flow.PinSubmit(), flow.PinMissed(walk.occasion, 2))

    assert (walk.state(), walk.session.visit.pin_tries_left, walk.session.pin_digits) == (
        State.PIN_ENTRY,
        2,
        0,
    )
    assert walk.session.visit.failure is FailureCode.PIN_WRONG


@pytest.mark.parametrize(
    ("has_photo", "then"), [(True, State.METHOD_CHOICE), (False, State.CALL_STAFF)], ids=["photo", "no photo"]
)
def test_a_pin_missed_to_zero_leaves_the_other_ways_or_staff(has_photo: bool, then: State) -> None:
    walk = in_state(State.READING)
    walk.on(flow.CardRead(walk.occasion, has_photo, 2), flow.Choose(Method.PIN))

    walk.on(flow.PinTyped(4), flow.PinSubmit(), flow.PinMissed(walk.occasion, 0))

    assert (walk.state(), walk.session.visit.failure) == (then, FailureCode.PIN_BLOCKED)
    assert Method.PIN not in walk.session.methods


def test_the_last_try_needs_an_explicit_yes() -> None:
    walk = in_state(State.PIN_ENTRY, tries=1)

    assert walk.session.asks_last_try
    assert walk.on(flow.PinTyped(4), flow.PinSubmit()) == (Effect.LOG_LATE_EVENT,)
    assert walk.on(flow.AcceptLastTry(), flow.PinTyped(4), flow.PinSubmit()) == (Effect.VERIFY_PIN,)


def test_the_yes_to_the_last_try_does_not_outlive_going_back() -> None:
    walk = in_state(State.PIN_ENTRY, tries=1)

    walk.on(flow.AcceptLastTry(), flow.BackToChoice(), flow.Choose(Method.PIN))

    assert walk.session.asks_last_try


def test_a_pin_confirmed_twice_is_verified_once() -> None:
    walk = in_state(State.PIN_ENTRY)

    walk.on(flow.PinTyped(4), flow.PinSubmit(), flow.PinSubmit(), flow.PinTyped(4), flow.PinSubmit())

    assert walk.effects.count(Effect.VERIFY_PIN) == 1


def test_no_going_back_while_the_card_is_asked_about_the_pin() -> None:
    walk = in_state(State.PIN_ENTRY)

    walk.on(flow.PinTyped(4), flow.PinSubmit(), flow.BackToChoice())

    assert walk.state() is State.PIN_ENTRY


@pytest.mark.parametrize("digits", [0, 1, 3])
def test_a_short_pin_costs_no_try(digits: int) -> None:
    walk = in_state(State.PIN_ENTRY)

    walk.on(flow.PinTyped(digits), flow.PinSubmit())

    assert Effect.VERIFY_PIN not in walk.effects


@pytest.mark.parametrize("state", [State.CONSENT, State.LIMIT_CONSENT])
def test_a_question_nobody_answers_is_a_no_but_only_after_the_warning(state: State) -> None:
    walk = in_state(state)
    item = walk.session.question
    assert item is not None

    walk.wait()
    assert (walk.state(), walk.session.question) == (state, item)
    assert walk.now == CONFIG.delays.question_s - CONFIG.delays.warning_s
    walk.wait()
    assert dict(walk.session.visit.answers)[item] is DECLINED
    assert walk.now == CONFIG.delays.question_s


def test_time_that_has_not_come_changes_nothing() -> None:
    walk = in_state(State.CONSENT)
    before = walk.session

    walk.now = CONFIG.delays.question_s - CONFIG.delays.warning_s - 0.01
    walk.on(flow.TimePassed())

    assert walk.session is before


@pytest.mark.parametrize("state", flow.ANSWERABLE)
def test_more_time_starts_the_wait_again_and_keeps_what_was_done(state: State) -> None:
    walk = in_state(state)
    before = walk.session
    walk.wait() if state is not State.FACE_MATCH else None
    walk.now = 30.0

    walk.on(flow.MoreTime())

    assert before.deadline is not None
    assert walk.session.deadline == 30.0 + before.deadline
    assert (walk.session.warn_at is None) == (state is State.FACE_MATCH)
    assert replace(walk.session, deadline=before.deadline, warn_at=before.warn_at) == before


@pytest.mark.parametrize(
    ("state", "failure"),
    [
        (State.READING, FailureCode.CARD_STALLED),
        (State.METHOD_CHOICE, FailureCode.ANSWER_TIMED_OUT),
        (State.PIN_ENTRY, FailureCode.ANSWER_TIMED_OUT),
        (State.CHECKING, FailureCode.SERVER_TIMED_OUT),
        (State.SENDING, FailureCode.SERVER_TIMED_OUT),
    ],
)
def test_other_waits_end_with_staff_and_nothing_shown_complete(state: State, failure: FailureCode) -> None:
    walk = in_state(state)

    while walk.state() is state:
        walk.wait()

    assert (walk.state(), walk.session.visit.failure, walk.session.visit.completed) == (
        State.CALL_STAFF,
        failure,
        False,
    )


def test_a_face_that_failed_as_often_as_allowed_is_not_offered_again() -> None:
    walk = in_state(State.METHOD_CHOICE)

    for _ in range(CONFIG.face.tries):
        walk.on(flow.Choose(Method.FACE), flow.FaceFailed(walk.occasion + 1, FailureCode.FACE_NOT_MATCHED))
        assert (walk.state(), walk.session.visit.failure) == (
            State.METHOD_CHOICE,
            FailureCode.FACE_NOT_MATCHED,
        )

    assert walk.session.methods == (Method.PIN,)
    walk.on(flow.Choose(Method.FACE))
    assert walk.state() is State.METHOD_CHOICE


def test_a_challenge_has_its_own_time() -> None:
    def patience(challenge: int) -> float:
        face = replace(CONFIG.face, challenge=challenge, challenge_step_s=4.0)
        walk = Walk(Session(replace(CONFIG, face=face)))
        walk.on(flow.ReaderReady(), flow.CardInserted("visit-1"), flow.CardRead(2, True, 3))
        walk.on(flow.Choose(Method.FACE))
        assert walk.state() is State.FACE_MATCH
        return flow.next_moment(walk.session) or 0.0

    # Three moves with looking straight after each.
    assert patience(3) - patience(0) == 6 * 4.0


def test_a_lost_camera_costs_no_try_and_the_face_is_offered_again_once_it_is_back() -> None:
    walk = in_state(State.FACE_MATCH)

    walk.on(flow.FaceFailed(walk.occasion, FailureCode.FACE_CAMERA_LOST, usable=False))
    assert (walk.state(), walk.session.methods) == (State.METHOD_CHOICE, (Method.PIN,))
    before = walk.session
    assert before.visit.failure is FailureCode.FACE_CAMERA_LOST
    walk.on(flow.CameraReady())

    assert (walk.state(), walk.session.methods) == (State.METHOD_CHOICE, (Method.FACE, Method.PIN))
    assert (walk.session.visit.failure, walk.session.visit.face_failures) == (None, 0)
    assert walk.occasion > before.occasion


def test_a_camera_lost_while_the_patient_chooses_is_told_and_the_face_not_offered() -> None:
    walk = in_state(State.METHOD_CHOICE)

    walk.on(flow.CameraLost())

    assert (walk.state(), walk.session.methods) == (State.METHOD_CHOICE, (Method.PIN,))
    assert walk.session.visit.failure is FailureCode.FACE_CAMERA_LOST


def test_a_camera_lost_between_visits_is_still_lost_for_the_next_patient() -> None:
    walk = in_state(State.WAITING)

    walk.on(flow.CameraLost(), flow.CardInserted("visit-1"), flow.CardRead(walk.occasion + 1, True, 3))

    assert walk.session.methods == (Method.PIN,)


@pytest.mark.parametrize("state", [state for state in WALKED if state is not State.METHOD_CHOICE])
def test_a_camera_that_goes_and_comes_disturbs_nobody_who_does_not_choose(state: State) -> None:
    walk = in_state(state)
    before = walk.session

    assert walk.on(flow.CameraLost()) == ()
    assert walk.on(flow.CameraReady()) == ()
    assert walk.session == before


def test_a_card_that_allows_nothing_calls_staff() -> None:
    walk = in_state(State.READING)

    walk.on(flow.CardRead(walk.occasion, False, None))

    assert (walk.state(), walk.session.visit.failure) == (State.CALL_STAFF, FailureCode.NO_METHOD_LEFT)


@pytest.mark.parametrize("state", WALKED)
def test_completed_only_after_the_server_has_recorded(state: State) -> None:
    assert in_state(state).session.visit.completed == (state in COMMITTED and state is not State.SENDING)


def test_the_card_left_in_is_reminded_of_until_it_is_taken() -> None:
    walk = in_state(State.TAKE_CARD)

    walk.wait()
    walk.wait()

    assert (walk.state(), walk.session.reminders) == (State.TAKE_CARD, 2)
    walk.on(flow.CardRemoved())
    assert walk.state() is State.COMPLETE
    walk.wait()
    assert walk.state() is State.WAITING


def test_a_reader_that_comes_back_while_staff_are_called_is_ready_afterwards() -> None:
    walk = in_state(State.SENDING)
    walk.on(flow.ReaderLost(FailureCode.READER_LOST))
    walk.on(flow.WorkFailed(walk.occasion, FailureCode.SERVER_UNREACHABLE), flow.ReaderReady())

    walk.wait()

    assert walk.state() is State.WAITING


@pytest.mark.parametrize("state", [State.SENDING, State.TAKE_CARD])
def test_a_card_inserted_while_the_last_visit_ends_is_read_at_last(state: State) -> None:
    walk = in_state(State.SENDING)
    walk.on(flow.CardRemoved())
    if state is State.TAKE_CARD:
        walk.on(flow.Recorded(walk.occasion))
    walk.on(flow.CardInserted("visit-2"))

    if state is State.SENDING:
        walk.on(flow.Recorded(walk.occasion))
    while flow.next_moment(walk.session) is not None and walk.state() is not State.READING:
        walk.wait()

    assert (walk.state(), walk.session.visit.id) == (State.READING, "visit-2")


# --- Offers of the server, and staff -----------------------------------------------------------------------------


def asked(**offers: bool) -> Walk:
    walk = in_state(State.CHECKING)
    walk.on(flow.Identified(walk.occasion, (Item.MEDICATION, Item.HEALTH_CHECKUP), **offers))
    return walk


def test_one_answer_can_stand_for_all_questions_where_that_is_offered() -> None:
    walk = asked(bundled=True)
    assert (walk.state(), walk.session.screen) == (State.CONSENT, "BUNDLE")
    assert walk.on(flow.AnswerAll(GIVEN)) == (Effect.SEND_CONSENTS,)
    assert dict(walk.session.visit.answers) == {Item.MEDICATION: GIVEN, Item.HEALTH_CHECKUP: GIVEN}


def test_one_answer_for_all_is_not_taken_where_it_is_not_offered_or_no_longer() -> None:
    walk = asked()
    assert walk.on(flow.AnswerAll(GIVEN)) == (Effect.LOG_LATE_EVENT,)
    walk = asked(bundled=True)
    walk.on(flow.OneByOne())
    assert (walk.state(), walk.session.screen) == (State.CONSENT, "CONSENT")
    assert walk.on(flow.AnswerAll(GIVEN)) == (Effect.LOG_LATE_EVENT,)


def test_silence_at_the_offer_of_one_answer_is_a_no_to_the_first_question_only() -> None:
    walk = asked(bundled=True)
    walk.wait()
    walk.wait()
    assert dict(walk.session.visit.answers) == {Item.MEDICATION: DECLINED}
    assert (walk.session.question, walk.session.screen) == (Item.HEALTH_CHECKUP, "CONSENT")


def test_the_form_of_a_prescription_is_asked_after_the_questions_and_once() -> None:
    walk = asked(prescription_offered=True)
    walk.on(flow.Answer(GIVEN), flow.Answer(GIVEN))
    assert (walk.state(), walk.session.screen, walk.session.question) == (State.CONSENT, "PRESCRIPTION", None)
    assert walk.on(flow.Answer(GIVEN)) == (Effect.LOG_LATE_EVENT,)
    assert walk.on(flow.ChoosePrescription(PrescriptionForm.ELECTRONIC)) == (Effect.SEND_CONSENTS,)
    assert walk.session.visit.prescription is PrescriptionForm.ELECTRONIC


def test_silence_about_the_prescription_leaves_its_form_to_the_facility() -> None:
    walk = asked(prescription_offered=True)
    walk.on(flow.AnswerAll(GIVEN), flow.Answer(GIVEN), flow.Answer(GIVEN))
    walk.wait()
    assert walk.wait() == (Effect.SEND_CONSENTS,)
    assert walk.session.visit.prescription is None


def test_a_card_not_yet_registered_as_insurance_card_is_registered_first() -> None:
    walk = in_state(State.CARD_USE_OFFER)
    assert walk.on(flow.AnswerCardUse(GIVEN)) == (Effect.ANSWER_CARD_USE,)
    assert walk.state() is State.CHECKING
    walk.on(flow.Identified(walk.occasion, QUESTIONS))
    assert walk.state() is State.CONSENT


def test_a_registration_declined_or_left_alone_is_told_to_the_server_and_ends_the_visit() -> None:
    for silent in (False, True):
        walk = in_state(State.CARD_USE_OFFER)
        if silent:
            walk.wait()
            effects = walk.wait()
        else:
            effects = walk.on(flow.AnswerCardUse(DECLINED))
        assert effects == (Effect.ANSWER_CARD_USE,)
        assert walk.session.visit.card_use is DECLINED
        walk.on(flow.WorkFailed(walk.occasion, FailureCode.CARD_USE_DECLINED))
        assert walk.state() is State.CALL_STAFF
        assert Effect.SEND_CONSENTS not in walk.effects


@pytest.mark.parametrize("state", [State.METHOD_CHOICE, State.FACE_MATCH, State.PIN_ENTRY])
def test_staff_can_compare_by_sight_wherever_identity_is_verified(state: State) -> None:
    walk = in_state(state)
    effects = walk.on(flow.StaffStartVisual("staff-1"))
    assert (walk.state(), set(effects)) == (State.VISUAL_CHECK, {Effect.STOP_FACE, Effect.WIPE_PIN})
    assert walk.on(flow.StaffConfirmVisual("pin-forgotten")) == (Effect.IDENTIFY,)
    session = walk.session
    assert (session.visit.identity, session.visit.staff, session.visit.visual_reason) == (
        Method.VISUAL,
        "staff-1",
        "pin-forgotten",
    )


def test_the_patient_cannot_choose_the_visual_check() -> None:
    walk = in_state(State.METHOD_CHOICE)
    assert walk.on(flow.Choose(Method.VISUAL)) == (Effect.LOG_LATE_EVENT,)


def test_the_visual_check_returns_by_itself_when_staff_say_no_or_nothing() -> None:
    walk = in_state(State.VISUAL_CHECK)
    walk.on(flow.StaffRefuseVisual())
    assert (walk.state(), walk.session.visit.failure) == (State.METHOD_CHOICE, FailureCode.VISUAL_REFUSED)
    walk = in_state(State.VISUAL_CHECK)
    walk.wait()
    assert (walk.state(), walk.session.visit.failure) == (State.METHOD_CHOICE, FailureCode.VISUAL_REFUSED)


def test_a_card_without_photo_cannot_be_compared_by_sight() -> None:
    walk = in_state(State.READING)
    walk.on(flow.CardRead(walk.occasion, False, 3), flow.StaffStartVisual("staff-1"))
    assert (walk.state(), walk.session.visit.failure) == (
        State.METHOD_CHOICE,
        FailureCode.VISUAL_WITHOUT_PHOTO,
    )


def test_a_visit_that_gave_up_goes_on_by_sight_with_a_new_look_at_the_card() -> None:
    walk = in_state(State.CALL_STAFF)
    assert set(walk.on(flow.StaffStartVisual("staff-1"))) == {Effect.FORGET_VISIT, Effect.READ_CARD}
    assert walk.state() is State.READING
    walk.on(flow.CardRead(walk.occasion, True, 0))
    assert walk.state() is State.VISUAL_CHECK


def test_while_the_card_is_asked_about_the_pin_staff_wait() -> None:
    walk = in_state(State.PIN_ENTRY)
    walk.on(flow.PinTyped(4), flow.PinSubmit())
    assert walk.on(flow.StaffStartVisual("staff-1")) == (Effect.LOG_LATE_EVENT,)


def unscanned() -> Walk:
    walk = in_state(State.READING)
    walk.on(flow.CardRead(walk.occasion, False, 3, photo_sought=False))
    return walk


def test_the_way_by_face_opens_when_staff_type_the_match_code() -> None:
    walk = unscanned()
    assert (walk.session.methods, walk.session.match_code_wanted) == ((Method.PIN,), True)
    walk.on(flow.PhotoRead("visit-1", True))
    assert (walk.session.methods, walk.session.match_code_wanted) == ((Method.FACE, Method.PIN), False)


def test_a_match_code_that_was_refused_is_told_with_its_tries_and_no_longer_wanted_at_none() -> None:
    walk = unscanned()
    walk.on(flow.MatchCodeRefused("visit-1", 9))
    assert (walk.session.visit.match_code_tries_left, walk.session.match_code_wanted) == (9, True)
    walk.on(flow.MatchCodeRefused("visit-1", 0))
    assert not walk.session.match_code_wanted


def test_a_photo_of_another_visit_changes_nothing() -> None:
    walk = unscanned()
    assert walk.on(flow.PhotoRead("visit-0", True)) == (Effect.LOG_LATE_EVENT,)


# --- A visit by phone -------------------------------------------------------------------------------------------


def by_phone(kind: Method, tries_known: int | None = None) -> Walk:
    """A visit by phone up to where the phone is awaited."""
    walk = Walk()
    walk.on(flow.ReaderReady(), flow.PhoneReaderReady(), flow.ChoosePhone("visit-1"), flow.Choose(kind))
    if kind is Method.ANDROID:
        walk.on(flow.PinTyped(4), flow.PinSubmit())
    return walk


def test_phones_are_offered_only_with_a_phone_reader_and_no_card_in() -> None:
    walk = in_state(State.WAITING)
    assert walk.on(flow.ChoosePhone("visit-1")) == (Effect.LOG_LATE_EVENT,)
    walk.on(flow.PhoneReaderReady(), flow.ChoosePhone("visit-1"))
    assert walk.state() is State.METHOD_CHOICE
    assert walk.session.methods == (Method.IPHONE, Method.ANDROID)
    assert walk.session.visit.id == "visit-1"


def test_an_iphone_is_read_without_a_pin() -> None:
    walk = by_phone(Method.IPHONE)
    assert walk.state() is State.PHONE_TAP
    assert walk.on(flow.PhoneLaid()) == (Effect.READ_PHONE,)
    assert walk.on(flow.PhoneRead(walk.occasion)) == (Effect.WIPE_PIN, Effect.IDENTIFY)
    assert (walk.state(), walk.session.visit.identity) == (State.CHECKING, Method.IPHONE)


def test_an_android_phone_is_read_after_its_pin_was_typed_here() -> None:
    walk = by_phone(Method.ANDROID)
    assert walk.state() is State.PHONE_TAP
    assert Effect.VERIFY_PIN not in walk.effects
    assert walk.on(flow.PhoneLaid()) == (Effect.READ_PHONE,)
    walk.on(flow.PhoneRead(walk.occasion))
    assert (walk.state(), walk.session.visit.identity) == (State.CHECKING, Method.PIN)


def test_a_phone_that_lies_there_already_is_read_at_once() -> None:
    walk = in_state(State.WAITING)
    walk.on(flow.PhoneReaderReady(), flow.PhoneLaid(), flow.ChoosePhone("visit-1"))
    assert walk.on(flow.Choose(Method.IPHONE)) == (Effect.READ_PHONE,)


def test_a_phone_is_read_once_however_often_it_is_laid_on() -> None:
    walk = by_phone(Method.IPHONE)
    walk.on(flow.PhoneLaid(), flow.PhoneLifted(), flow.PhoneLaid())
    assert walk.effects.count(Effect.READ_PHONE) == 1


def test_a_phone_that_moved_before_its_pin_was_sent_is_laid_on_again() -> None:
    walk = by_phone(Method.ANDROID)
    walk.on(flow.PhoneLaid())
    effects = walk.on(flow.PhoneFailed(walk.occasion, FailureCode.PHONE_MOVED))
    assert (walk.state(), effects) == (State.PHONE_TAP, ())
    walk.on(flow.PhoneLifted())
    assert walk.on(flow.PhoneLaid()) == (Effect.READ_PHONE,)


def test_a_phone_that_moved_after_its_pin_was_sent_needs_it_typed_anew() -> None:
    walk = by_phone(Method.ANDROID)
    walk.on(flow.PhoneLaid())
    effects = walk.on(flow.PhoneFailed(walk.occasion, FailureCode.PHONE_MOVED_AFTER_PIN, pin_sent=True))
    assert (walk.state(), effects) == (State.PIN_ENTRY, (Effect.WIPE_PIN,))


def test_the_last_try_of_a_phone_needs_a_yes_before_it_is_spent() -> None:
    walk = by_phone(Method.ANDROID)
    walk.on(flow.PhoneLaid())
    assert walk.on(flow.PhoneLastTry(walk.occasion)) == (Effect.WIPE_PIN,)
    assert walk.session.asks_last_try
    walk.on(flow.PinTyped(4), flow.PinSubmit())
    assert walk.state() is State.PIN_ENTRY
    walk.on(flow.AcceptLastTry(), flow.PinTyped(4))
    assert walk.on(flow.PinSubmit()) == (Effect.READ_PHONE,)
    assert walk.session.visit.last_try_accepted


def test_a_yes_to_the_last_try_holds_for_one_reading_only() -> None:
    walk = by_phone(Method.ANDROID)
    walk.on(flow.PhoneLaid(), flow.PhoneLastTry(walk.occasion), flow.AcceptLastTry())
    walk.on(flow.PinTyped(4), flow.PinSubmit())
    assert walk.session.visit.last_try_accepted
    walk.on(flow.PhoneFailed(walk.occasion, FailureCode.PHONE_MOVED))
    assert not walk.session.visit.last_try_accepted


def test_a_wrong_pin_of_a_phone_leads_back_to_typing_and_a_blocked_one_to_staff() -> None:
    walk = by_phone(Method.ANDROID)
    walk.on(flow.PhoneLaid(), flow.PinMissed(walk.occasion, 2))
    assert (walk.state(), walk.session.visit.pin_tries_left) == (State.PIN_ENTRY, 2)
    walk.on(flow.PinTyped(4), flow.PinSubmit())
    walk.on(flow.PinMissed(walk.occasion, 0))
    assert (walk.state(), walk.session.visit.failure) == (State.CALL_STAFF, FailureCode.PHONE_PIN_BLOCKED)


@pytest.mark.parametrize("where", ["choice", "pin", "tap"])
def test_a_card_put_in_before_the_phone_was_read_begins_a_visit_with_the_card(where: str) -> None:
    walk = in_state(State.WAITING)
    walk.on(flow.PhoneReaderReady(), flow.ChoosePhone("visit-1"))
    if where != "choice":
        walk.on(flow.Choose(Method.ANDROID))
    if where == "tap":
        walk.on(flow.PinTyped(4), flow.PinSubmit())
    effects = walk.on(flow.CardInserted("visit-2"))
    assert (walk.state(), walk.session.visit.id, walk.session.visit.by_phone) == (
        State.READING,
        "visit-2",
        False,
    )
    assert {Effect.WIPE_PIN, Effect.FORGET_VISIT, Effect.READ_CARD} <= set(effects)


def read_by_phone() -> Walk:
    walk = by_phone(Method.IPHONE)
    walk.on(flow.PhoneLaid(), flow.PhoneRead(walk.occasion))
    return walk


def test_once_read_the_phone_may_leave_and_its_reader_may_fail() -> None:
    walk = read_by_phone()
    walk.on(flow.PhoneLifted(), flow.PhoneReaderLost())
    walk.on(
        flow.Identified(walk.occasion, QUESTIONS), flow.Answer(GIVEN), flow.Answer(GIVEN), flow.Answer(GIVEN)
    )
    walk.on(flow.Recorded(walk.occasion))
    assert (walk.state(), walk.session.visit.completed) == (State.TAKE_CARD, True)
    walk.wait()
    walk.wait()
    assert walk.state() is State.WAITING


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_card_that_comes_and_goes_while_a_phones_holder_answers_disturbs_nothing(answered: int) -> None:
    walk = read_by_phone()
    walk.on(flow.Identified(walk.occasion, QUESTIONS), *[flow.Answer(GIVEN)] * answered)
    state = walk.state()
    walk.on(flow.CardInserted("visit-2"), flow.CardRemoved())
    assert (walk.state(), walk.session.visit.id, walk.session.visit.next_visit) == (state, "visit-1", "")


def test_the_card_reader_may_fail_and_come_back_during_a_visit_by_phone() -> None:
    walk = read_by_phone()
    walk.on(flow.ReaderLost(FailureCode.READER_LOST), flow.Identified(walk.occasion, ()))
    walk.on(flow.ReaderReady(), flow.Recorded(walk.occasion))
    walk.wait()
    walk.wait()
    assert walk.state() is State.WAITING


@pytest.mark.parametrize("state", ["choice", "pin", "tap"])
def test_a_phone_reader_lost_before_the_phone_was_read_ends_the_visit(state: str) -> None:
    walk = in_state(State.WAITING)
    walk.on(flow.PhoneReaderReady(), flow.ChoosePhone("visit-1"))
    if state != "choice":
        walk.on(flow.Choose(Method.ANDROID if state == "pin" else Method.IPHONE))
    walk.on(flow.PhoneReaderLost())
    assert (walk.state(), walk.session.visit.failure) == (State.WAITING, FailureCode.PHONE_READER_LOST)
    assert not walk.session.desk.phones_ready


def test_a_phone_nobody_lays_on_is_waited_for_with_a_warning_and_then_no_longer() -> None:
    walk = by_phone(Method.IPHONE)
    walk.wait()
    assert walk.state() is State.PHONE_TAP
    walk.wait()
    assert (walk.state(), walk.session.visit.failure) == (State.WAITING, FailureCode.ANSWER_TIMED_OUT)


def test_a_visit_by_phone_that_is_cancelled_ends_at_once_with_no_card_to_take() -> None:
    walk = by_phone(Method.ANDROID)
    effects = walk.on(flow.Cancel())
    assert (walk.state(), walk.session.visit.failure) == (State.WAITING, FailureCode.CANCELLED)
    assert Effect.WIPE_PIN in effects


# --- The table --------------------------------------------------------------------------------------------------


def some_events(session: Session) -> Iterable[Event]:
    """One of everything that can happen now, with the occasion that counts."""
    occasion = session.occasion
    if session.leaving or session.visit.interrupted is not None:
        # All else happens without these as well.
        yield from (flow.KeepOn(), flow.CardRemoved())
        return
    yield from (flow.AskCancel(), flow.KeepOn(), flow.PreviousQuestion(), flow.TakeOnCall())
    yield from (flow.ReaderReady(), flow.ReaderLost(FailureCode.READER_LOST), flow.CardRemoved())
    yield from (flow.CardInserted("visit-n"), flow.CardMute("visit-n"))
    yield from (
        flow.CardRead(occasion, True, 3),
        flow.CardRead(occasion, False, 1),
        flow.CardRead(occasion, False, 0),
    )
    yield flow.WorkFailed(occasion, FailureCode.SERVER_UNREACHABLE)
    yield from (flow.Choose(Method.FACE), flow.Choose(Method.PIN))
    yield from (flow.PinTyped(0), flow.PinTyped(4), flow.PinSubmit(), flow.AcceptLastTry())
    yield from (flow.PinVerified(occasion), flow.PinMissed(occasion, 1), flow.PinMissed(occasion, 0))
    yield from (flow.CameraReady(), flow.CameraLost())
    yield from (flow.FaceGuided(occasion, "CLOSER"), flow.FaceMatched(occasion))
    yield flow.FaceFailed(occasion, FailureCode.FACE_NOT_MATCHED)
    yield flow.FaceFailed(occasion, FailureCode.FACE_CAMERA_LOST, usable=False)
    yield from (flow.PhoneReaderReady(), flow.PhoneReaderLost(), flow.PhoneLaid(), flow.PhoneLifted())
    yield from (flow.ChoosePhone("visit-p"), flow.Choose(Method.IPHONE), flow.Choose(Method.ANDROID))
    yield from (flow.PhoneRead(occasion), flow.PhoneLastTry(occasion))
    yield flow.PhoneFailed(occasion, FailureCode.PHONE_UNREADABLE)
    yield flow.PhoneFailed(occasion, FailureCode.PHONE_MOVED_AFTER_PIN, pin_sent=True)
    yield from (flow.BackToChoice(), flow.Identified(occasion, ()), flow.Identified(occasion, QUESTIONS))
    yield flow.CardRead(occasion, False, 3, photo_sought=False)
    yield flow.CardAwaited(occasion)
    yield from (flow.PhotoRead(session.visit.id, True), flow.MatchCodeRefused(session.visit.id, 0))
    yield flow.Identified(occasion, QUESTIONS, bundled=True, prescription_offered=True)
    yield flow.Identified(occasion, (), card_use_offered=True)
    yield from (flow.AnswerAll(GIVEN), flow.OneByOne(), flow.ChoosePrescription(PrescriptionForm.PAPER))
    yield from (flow.AnswerCardUse(GIVEN), flow.AnswerCardUse(DECLINED))
    yield from (flow.StaffStartVisual("staff-1"), flow.StaffConfirmVisual("other"), flow.StaffRefuseVisual())
    yield from (flow.Answer(GIVEN), flow.Answer(DECLINED), flow.Recorded(occasion))
    yield from (flow.ChooseLanguage(flow.Language.EN), flow.ChooseDisplay(flow.DisplayMode.LARGE))
    yield from (flow.AskHelp(flow.HelpTopic.LOST), flow.LeaveHelp(), flow.CloseDesk(), flow.OpenDesk())
    yield flow.ShowStaffText(flow.StaffText.COME)
    yield from (flow.MoreTime(), flow.Cancel(), flow.CallStaff(), flow.TimePassed())


ANSWERING = (State.CONSENT, State.LIMIT_CONSENT)


def at_rest(session: Session) -> bool:
    resting = (State.WAITING, State.OUT_OF_SERVICE, State.COMPLETE, State.CALL_STAFF)
    return session.state in resting and session.visit.interrupted is None


ONE_FACE_TRY = replace(CONFIG, face=replace(CONFIG.face, tries=1))
"""Further tries only multiply the ways."""


BESIDE = (
    flow.ChooseLanguage,
    flow.ChooseDisplay,
    flow.AskHelp,
    flow.CloseDesk,
    flow.OpenDesk,
    flow.ShowStaffText,
    flow.TakeOnCall,
)
"""What changes nothing of the visit is done once in each state."""


def changed(record: T, **values: Any) -> T:
    """dataclasses.replace() without its constructor: hundreds of thousands are made here."""
    after = object.__new__(type(record))
    vars(after).update(vars(record), **values)
    return after


def alike(session: Session) -> Session:
    """Take away what no row looks at: it would only multiply the ways."""
    state, desk, visit = session.state, session.desk, session.visit
    shows_help = session.help if state is State.WAITING else None
    desk = changed(desk, called=False)
    if not session.as_delivered:
        desk = changed(desk, language=flow.Language.JA, display=flow.DisplayMode.NORMAL)
    if not desk.open and state is not State.OUT_OF_SERVICE:
        desk = changed(desk, open=True)
    failure = None if visit.failure is None else FailureCode.CANCELLED
    next_visit = visit.next_visit and "next"
    if at_rest(session):
        visit = VisitProgress(
            "visit",
            card_in=visit.card_in,
            lost_with_card=visit.lost_with_card,
            by_phone=visit.by_phone,
            next_visit=next_visit,
            failure=failure,
        )
        return Session(
            session.config,
            desk,
            visit,
            state,
            1,
            deadline=late(session.deadline),
            warn_at=soon(session),
            help=shows_help,
        )
    visit = changed(
        visit,
        id="visit",
        next_visit=next_visit,
        failure=failure,
        answers=tuple((item, GIVEN) for item, _ in visit.answers),
        staff="",
        visual_reason="other",
        staff_text=flow.StaffText.NONE,
    )
    if state not in (State.CARD_USE_OFFER, State.CHECKING):
        visit = changed(visit, card_use=None)
    if state in (State.CHECKING, State.CARD_USE_OFFER, *ANSWERING, *COMMITTED):
        desk = changed(desk, camera_ready=True)
        visit = changed(
            visit,
            has_photo=False,
            pin_tries_left=None,
            face_failures=0,
            last_try_accepted=False,
            phone=None,
            identity=None,
            prescription=None,
        )
    if state is not State.METHOD_CHOICE:
        visit = changed(visit, photo_sought=True, match_code_tries_left=None)
    if not visit.by_phone:
        desk = changed(desk, phones_ready=True, phone_laid=False)
    return changed(
        session,
        desk=desk,
        visit=visit,
        occasion=1,
        reminders=0,
        guidance="",
        pin_short=False,
        help=shows_help,
        deadline=late(session.deadline),
        warn_at=soon(session),
    )


def late(deadline: float | None) -> float | None:
    return None if deadline is None else 2.0


def soon(session: Session) -> float | None:
    return None if session.warn_at is None else 1.0


def explore() -> tuple[set[State], set[tuple[State, type[Event]]]]:
    """Walk everywhere that can be walked; return the states seen and what was done in each."""
    start = Session(ONE_FACE_TRY)
    ahead, known = deque([start]), set[tuple[object, ...]]()
    states: set[State] = set()
    done: set[tuple[State, type[Event]]] = set()
    while ahead:
        session = ahead.popleft()
        states.add(session.state)
        for event in some_events(session):
            if isinstance(event, BESIDE) and (session.state, type(event)) in done:
                continue
            due = flow.next_moment(session)
            now = due if isinstance(event, flow.TimePassed) and due is not None else 0.0
            after, effects = flow.advance(session, event, now)
            if Effect.LOG_LATE_EVENT not in effects:
                done.add((session.state, type(event)))
            if after is session:
                continue
            after = alike(after)
            # Not the configuration: it is always the same, and takes long to hash.
            key = tuple(value for name, value in vars(after).items() if name != "config")
            if key not in known:
                known.add(key)
                ahead.append(after)
    return states, done


@pytest.mark.parametrize(
    "code", [FailureCode.FACE_PHOTO_FORGED, FailureCode.FACE_CHIP_LATE, FailureCode.FACE_AUTHORITY_UNKNOWN]
)
def test_a_photo_that_is_not_believed_says_why_and_leaves_the_pin(code: FailureCode) -> None:
    walk = in_state(State.READING)
    walk.on(flow.CardRead(walk.occasion, False, 3, photo_genuine=False, photo_failure=code))
    assert (walk.session.state, walk.session.visit.failure) == (State.METHOD_CHOICE, code)
    assert walk.session.methods == (Method.PIN,)


def test_a_pin_whose_answer_was_lost_is_typed_again_with_the_tries_as_they_are() -> None:
    walk = in_state(State.PIN_ENTRY)
    walk.on(flow.PinMissed(walk.occasion, 3, FailureCode.PIN_ANSWER_LOST))
    assert (walk.session.state, walk.session.visit.failure) == (State.PIN_ENTRY, FailureCode.PIN_ANSWER_LOST)
    assert (walk.session.visit.pin_tries_left, walk.session.pin_digits) == (3, 0)


def test_every_row_of_the_table_can_happen() -> None:
    states, done = explore()

    # The offer of 最新4情報 is off in these settings; scenarios and the benches' matrix play it.
    assert states == set(WALKED) - set(flow.OFFERING)
    # The summary is off here; tests/unit/flow/test_kept_visit.py confirms it.
    walked = [row for row in TRANSITIONS if row.event not in (flow.ChangeAnswer, flow.ConfirmAnswers)]
    rows = {(state, row.event) for row in walked for state in row.states if state in states}
    assert rows == done


def test_every_state_and_every_event_of_the_flow_stands_in_the_table_once() -> None:
    rows = [(state, row.event) for row in TRANSITIONS for state in row.states]

    assert len(rows) == len(set(rows))
    assert {state for state, _ in rows} == set(State)
    typed = {flow.PinDigit, flow.PinBackspace, flow.PinClear, flow.MatchCodeTyped}
    typed |= {flow.SigningKey, flow.SigningBackspace}
    assert {event for _, event in rows} == set(Event.__subclasses__()) - typed


def test_each_handler_takes_the_event_of_its_row() -> None:
    taken = {row.do: get_type_hints(row.do)["event"] for row in TRANSITIONS}
    assert [(row.event, taken[row.do]) for row in TRANSITIONS if row.event is not taken[row.do]] == []


@pytest.mark.parametrize("state", WALKED)
def test_a_new_visit_knows_nothing_of_the_one_before(state: State) -> None:
    walk = in_state(state)
    walk.on(flow.ChooseLanguage(flow.Language.EN), flow.PhoneReaderReady())
    fresh = new_visit(walk.session, "visit-2", card_in=True)
    assert fresh.visit == VisitProgress("visit-2", card_in=True)
    assert fresh.desk == walk.session.desk


@pytest.mark.parametrize("state", WALKED)
def test_an_occasion_begins_with_nothing_of_the_one_before(state: State) -> None:
    before = replace(
        in_state(state).session,
        pin_digits=3,
        verifying=True,
        guidance="CLOSER",
        reminders=2,
        help=flow.HelpTopic.LOST,
    )
    entered = enter(before, state, 0.0)
    plain = Session(CONFIG, before.desk, before.visit, state, before.occasion + 1)
    assert replace(entered, deadline=None, warn_at=None) == plain


def test_the_written_table_has_one_line_for_each_row() -> None:
    lines = flow.table().splitlines()

    assert len(lines) == len(TRANSITIONS) + 2
    assert all(line.count("|") == 5 for line in lines)


@settings(max_examples=200)
@given(st.data())
def test_whatever_happens_nothing_is_sent_twice_or_called_complete_too_early(data: st.DataObject) -> None:
    walk = Walk()
    walk.on(flow.ReaderReady(), flow.CardInserted("visit-0"))
    sent, recorded = 0, False
    for number in range(1, data.draw(st.integers(1, 60), label="steps") + 1):
        events = tuple(some_events(walk.session))
        event = data.draw(st.sampled_from(events))
        if isinstance(event, flow.CardInserted | flow.ChoosePhone):
            event = type(event)(f"visit-{number}")
        if "occasion" in vars(event) and data.draw(st.integers(0, 9)) == 0:
            event = replace(event, occasion=walk.occasion - 1)  # type: ignore[call-arg]
        walk.now += data.draw(st.sampled_from((0.0, 1.0, 30.0, 100.0)))
        visit = walk.session.visit.id
        effects = walk.on(event)
        if walk.session.visit.id != visit:
            sent, recorded = 0, False
        sent += effects.count(Effect.SEND_CONSENTS)
        recorded = recorded or (isinstance(event, flow.Recorded) and Effect.LOG_LATE_EVENT not in effects)
        assert sent <= 1
        assert walk.session.visit.completed == recorded


@pytest.mark.parametrize(
    "state", [state for state in WALKED if state not in (State.WAITING, State.OUT_OF_SERVICE)]
)
def test_a_language_lasts_for_one_visit(state: State) -> None:
    walk = in_state(state)
    walk.on(flow.ChooseLanguage(flow.Language.VI), flow.ChooseDisplay(flow.DisplayMode.LARGE))
    assert (walk.session.desk.language, walk.session.desk.display) == (
        flow.Language.VI,
        flow.DisplayMode.LARGE,
    )
    assert walk.state() is state

    walk.on(flow.Cancel(), flow.CardRemoved())
    while walk.state() is not State.WAITING or walk.session.visit.failure:
        if flow.next_moment(walk.session) is None:
            walk.on(flow.Recorded(walk.occasion), flow.CardRemoved())
        else:
            walk.wait()

    assert walk.session.as_delivered


def test_a_language_chosen_before_the_card_is_that_of_the_visit() -> None:
    walk = in_state(State.WAITING)
    walk.on(flow.ChooseLanguage(flow.Language.EN), flow.CardInserted("visit-1"))
    assert (walk.state(), walk.session.desk.language) == (State.READING, flow.Language.EN)


@pytest.mark.parametrize("state", [State.WAITING, State.OUT_OF_SERVICE])
def test_a_language_chosen_by_nobody_goes_back(state: State) -> None:
    walk = in_state(state)
    walk.on(flow.ChooseLanguage(flow.Language.EN), flow.ChooseDisplay(flow.DisplayMode.LARGE))
    walk.wait()
    assert (walk.state(), walk.session.as_delivered) == (state, True)
    assert flow.next_moment(walk.session) is None


def test_the_card_that_waits_for_its_visit_begins_in_japanese() -> None:
    walk = in_state(State.SENDING)
    walk.on(flow.ChooseLanguage(flow.Language.EN), flow.CardRemoved(), flow.CardInserted("visit-2"))
    walk.on(flow.Recorded(walk.occasion))
    while walk.state() is not State.READING:
        walk.wait()
    assert (walk.session.visit.id, walk.session.desk.language) == ("visit-2", flow.Language.JA)


def test_help_is_left_to_where_it_was_asked_for_and_ends_by_itself() -> None:
    for state in (State.WAITING, State.METHOD_CHOICE):
        walk = in_state(state)
        walk.on(flow.AskHelp())
        assert (walk.state(), walk.session.screen) == (state, "HELP")
        walk.on(flow.LeaveHelp())
        assert walk.session.screen == state
    walk = in_state(State.WAITING)
    walk.on(flow.AskHelp())
    walk.wait()
    assert walk.session.screen == "HELP"  # that was the warning
    walk.wait()
    assert walk.session.screen == "WAITING"


def test_who_reads_the_help_on_the_welcome_screen_is_warned_and_may_read_on() -> None:
    walk = in_state(State.WAITING)
    began = walk.now
    walk.on(flow.AskHelp(flow.HelpTopic.LOST))
    walk.wait()
    delays = CONFIG.delays
    assert walk.now == began + delays.choice_s - delays.warning_s
    walk.on(flow.MoreTime())
    walk.wait()
    assert walk.now == began + 2 * (delays.choice_s - delays.warning_s)
    assert walk.session.help is flow.HelpTopic.LOST
    walk.on(flow.LeaveHelp())
    assert walk.session.warn_at is None


def test_staff_called_without_a_card_are_awaited_for_a_while() -> None:
    walk = in_state(State.COMPLETE)
    walk.wait()
    walk.on(flow.AskHelp(flow.HelpTopic.NO_CARD), flow.CallStaff())
    assert (walk.state(), walk.session.visit.failure) == (State.CALL_STAFF, FailureCode.STAFF_CALLED)
    assert not walk.session.visit.completed
    walk.wait()
    assert walk.state() is State.WAITING


@pytest.mark.parametrize("state", [state for state in WALKED if state is not State.WAITING])
def test_a_closed_desk_finishes_the_visit_and_begins_no_other(state: State) -> None:
    walk = in_state(state)
    walk.on(flow.CloseDesk())
    assert walk.state() is state

    walk.on(flow.Cancel(), flow.CardRemoved())
    while walk.state() is not State.OUT_OF_SERVICE:
        if flow.next_moment(walk.session) is None:
            walk.on(flow.Recorded(walk.occasion), flow.CardRemoved())
        else:
            walk.wait()
    walk.on(flow.ReaderReady())

    assert walk.session.screen == "DESK_CLOSED"
    walk.on(flow.CardInserted("visit-n"))
    assert (walk.state(), walk.session.screen) == (State.OUT_OF_SERVICE, "DESK_CLOSED")
    walk.on(flow.OpenDesk())
    assert (walk.state(), walk.session.visit.id) == (State.READING, "visit-n")


def test_a_card_taken_while_closed_begins_no_visit_at_opening() -> None:
    walk = in_state(State.WAITING)
    walk.on(flow.CloseDesk(), flow.CardInserted("visit-n"), flow.CardRemoved(), flow.OpenDesk())
    assert walk.state() is State.WAITING


@pytest.mark.parametrize("state", [State.COMPLETE, State.CALL_STAFF])
def test_a_card_put_in_after_closing_begins_no_visit(state: State) -> None:
    walk = in_state(state)
    walk.on(flow.CloseDesk(), flow.CardInserted("visit-n"))
    assert walk.session.screen == "DESK_CLOSED"
    walk.on(flow.OpenDesk())
    assert (walk.state(), walk.session.visit.id) == (State.READING, "visit-n")


@pytest.mark.parametrize("method", [None, Method.ANDROID, Method.IPHONE])
def test_a_card_put_in_place_of_the_phone_waits_while_the_desk_is_closed(method: Method | None) -> None:
    walk = in_state(State.WAITING)
    walk.on(flow.PhoneReaderReady(), flow.ChoosePhone("visit-1"))
    if method:
        walk.on(flow.Choose(method))
    walk.on(flow.CloseDesk(), flow.CardInserted("visit-n"))
    assert walk.session.screen == "DESK_CLOSED"
    walk.on(flow.OpenDesk())
    assert (walk.state(), walk.session.visit.id) == (State.READING, "visit-n")


def test_what_staff_have_shown_ends_with_the_visit() -> None:
    walk = in_state(State.METHOD_CHOICE)
    walk.on(flow.ShowStaffText(flow.StaffText.COMING))
    assert walk.session.visit.staff_text is flow.StaffText.COMING
    walk.on(flow.Choose(Method.PIN))
    assert walk.session.visit.staff_text is flow.StaffText.COMING
    walk.on(flow.CardRemoved())
    assert (walk.state(), walk.session.visit.staff_text) == (State.WAITING, flow.StaffText.NONE)
