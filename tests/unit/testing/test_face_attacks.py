"""The bench of attacks: what the guide says of them is what it prints."""

from itertools import islice

import pytest

from hardware.face.observation import Box
from hardware.simulation import attacks
from hardware.simulation.portraits import portrait_path
from reception.testing.benchmarks.face_attacks import has_edges, masks, stopped

PHOTO = portrait_path("astronaut")


def test_the_edges_of_a_telephone_are_seen_and_none_beside_a_person() -> None:
    telephone = next(islice(attacks.telephone(PHOTO, held_still=True), 1))
    person = next(islice(attacks.person(PHOTO), 1))
    assert has_edges(telephone, Box(257, 120, 105, 105))
    assert not has_edges(person, Box(250, 120, 140, 140))


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_flash_stops_telephones_and_no_print_as_the_guide_says() -> None:
    passes = {figure["what"].removeprefix("attack: "): figure for figure in stopped(lambda line: None)}
    assert passes["person, room 500 lx"]["flash"] == 12
    assert passes["telephone, 100 cd/m2"]["flash"] == 0
    assert passes["flat print"] | {"turn": 0} == passes["flat print"] | {
        "photo_check": 0,
        "flash": 12,
        "turn": 0,
    }


@pytest.mark.long
def test_drawn_masks_are_told_in_nearly_every_frame() -> None:
    figures = masks(lambda line: None)
    assert sum(figure["told"] for figure in figures) >= 0.97 * sum(figure["of"] for figure in figures)
