import config
import pytest
import reception_pytest


def test_a_visit_by_pin_is_recorded(
    terminal: reception_pytest.Terminal, card: reception_pytest.Card, server: reception_pytest.Server
) -> None:
    assert config.QUESTIONS_WE_SHOW  # ours, not the terminal's

    card.insert()
    visit = terminal.wait("METHOD_CHOICE")["visit"]
    terminal.choose("pin")
    terminal.wait("PIN_ENTRY")
    terminal.type_pin()
    for _ in range(2):  # medication, then health check-up
        terminal.wait("CONSENT")
        terminal.answer("declined")
    terminal.wait("LIMIT_CONSENT")
    terminal.answer("declined")
    shown = terminal.wait("TAKE_CARD")

    recorded = server.record(visit)
    assert shown["completed"]
    assert recorded is not None
    assert set(recorded.values()) == {"declined"}


@pytest.mark.reception(person="age75")
def test_a_card_pulled_early_leaves_no_record(
    terminal: reception_pytest.Terminal, card: reception_pytest.Card, server: reception_pytest.Server
) -> None:
    card.insert()
    visit = terminal.wait("METHOD_CHOICE")["visit"]
    card.remove()
    terminal.wait("WAITING")

    assert server.record(visit) is None


def test_a_face_of_somebody_else_is_refused(
    terminal: reception_pytest.Terminal, card: reception_pytest.Card, camera: reception_pytest.Camera
) -> None:
    card.insert()
    terminal.wait("METHOD_CHOICE")
    camera.show("age75")
    terminal.choose("face")

    assert terminal.wait("METHOD_CHOICE", seconds=40)["failure"]


@pytest.mark.reception_scenarios("scenarios/*.toml")
def test_a_scenario_of_ours(scenario: reception_pytest.Scenario) -> None:
    assert scenario.play()["sent"] == 1
