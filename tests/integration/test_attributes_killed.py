"""最新4情報: the nightly job killed as a process, at any moment, asks about nobody twice and misses nobody."""

import time
from pathlib import Path
from random import Random

import pytest

from tests.support.attribute_parties import CLINIC, Town, customer
from tests.support.killed_job import JobProcess

RESIDENTS = 12
MOVED = range(8)


def _run_killed(town: Town, random: Random, after: int, asked: list[tuple[str, str]]) -> bool:
    """Let it run, kill it around its question number ``after``; True: it came to its end before."""
    process = JobProcess(town.folder, town.now)
    number = 0
    while (question := process.next()) is not None:
        name, given, more = question
        if name == "attributes":
            asked.append((given[0], given[1]))
        number += 1
        answer = getattr(town.operator, name)(*given, **more)
        if number == after and random.random() < 0.5:
            break
        process.line.send(answer)
        if number == after:
            # While it writes down what it was told, or asks the next.
            time.sleep(random.uniform(0.0, 0.02))
            break
    else:
        assert process.end() == 0
        return True
    process.kill()
    return False


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.long)])
def test_of_a_job_that_is_killed_again_and_again_everybody_is_found_and_counted_once(
    tmp_path: Path, made_state: Path, kills: int
) -> None:
    random = Random(20)
    killed, town_number = 0, 0
    while killed < kills:
        town_number += 1
        folder = tmp_path / str(town_number)
        folder.mkdir()
        town = Town(folder, made_state, RESIDENTS)
        town.move_all(MOVED)
        town.midnight()
        town.ledger.close()
        asked: list[tuple[str, str]] = []
        here = 0
        while not _run_killed(town, random, random.randint(1, 6) if killed < kills else 0, asked):
            killed, here = killed + 1, here + 1
        town.reopen()
        expected = [customer(number) for number in MOVED]
        # A question whose answer was lost goes out again under its number, at most one of each kill.
        assert sorted({who for _, who in asked}) == expected
        assert len(set(asked)) == len(MOVED)
        assert len(asked) - len(MOVED) <= here
        assert town.parties.registry.charges(CLINIC) == len(MOVED)
        assert sorted(case.customer for case in town.worklist.cases()) == expected
        assert town.ledger.ran_at() == town.now
        town.close()
    print(f"{killed} kills in {town_number} towns")
