"""`./run bench server`, in short: whole visits of a few terminals, each acknowledged."""

from pathlib import Path

from reception.testing.benchmarks import server


def test_every_visit_of_every_terminal_is_acknowledged_also_beside_a_noisy_one(
    tmp_path: Path, made_state: Path
) -> None:
    said: list[str] = []
    database = f"sqlite:///{tmp_path / 'bench.db'}"
    (figure,) = server.load(made_state, 2, 0.3, database, said.append)
    assert (figure["errors"], figure["empty_errors"]) == (0, 0)
    assert figure["visits"] > 0 and figure["noise_requests"] > 0
    assert figure["ratio_to_empty"] > 0 and figure["p50_ms"] <= figure["p99_ms"]
    assert figure["server_ms_a_visit"] > 0 < figure["server_ms_an_empty_request"]
    assert figure["hollow_visits_per_s"] > 0 < figure["half_load_p99_ms"]
    assert len(said) == 2


def test_behind_nginx_the_others_are_served_beside_a_noisy_terminal(tmp_path: Path, made_state: Path) -> None:
    said: list[str] = []
    database = f"sqlite:///{tmp_path / 'bench.db'}"
    (figure,) = server.load(made_state, 2, 0.3, database, said.append, tls=True)
    assert (figure["errors"], figure["tls"]) == (0, True)
    assert figure["visits"] > 0 < figure["noise_requests"]
    assert figure["p99_beside_noise_ms"] > 0
    assert "beside a noisy terminal" in said[-1]
