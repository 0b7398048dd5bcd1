"""A PostgreSQL of a run's own, and a second test authority."""

from collections.abc import Iterator

import pytest

from consent.server.certificates import Authority
from reception.testing.benchmarks.postgres import OwnPostgres, programs


@pytest.fixture(scope="session")
def postgres() -> Iterator[OwnPostgres]:
    """Skip where PostgreSQL is not installed."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    with OwnPostgres(durable=False) as running:
        yield running


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other-authority"))
