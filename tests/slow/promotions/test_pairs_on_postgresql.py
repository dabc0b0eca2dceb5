"""The same on PostgreSQL, where two workers do write at the same moment."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.postgres_server import database
from tests.slow.promotions.at_once import pairs, scenes, wrong
from tests.slow.promotions.lifecycle import STATES
from tests.slow.promotions.pairs import Scene


class Databases:
    """names: of those to be copied, by state."""

    def __init__(self, cluster: str, blank: str) -> None:
        self.cluster, self.blank = cluster, blank
        self.names: dict[str, str] = {}

    @contextmanager
    def make(self, name: str) -> Iterator[str]:
        with database(self.cluster, like=self.blank) as url:
            self.names[name] = str(make_url(url).database)
            yield url

    @contextmanager
    def copy(self, name: str) -> Iterator[str]:
        with database(self.cluster, like=self.names[name]) as url:
            yield url


@pytest.fixture(scope="module")
def databases(postgres: str, blank_postgres: str) -> Databases:
    return Databases(postgres, blank_postgres)


@pytest.fixture(scope="module")
def made(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    folder: Path = tmp_path_factory.mktemp("pairs")
    with scenes(folder) as found, ExitStack() as stack:
        for name, scene in found.items():
            scene.make(stack.enter_context(databases.make(name)))
        yield found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("state", STATES)
def test_two_acts_at_once_are_one_after_the_other(made: dict[str, Scene], databases: Databases, state: str) -> None:
    found = [why for one, other in pairs(state) for why in wrong(made[state], databases, one, other)]
    assert not found, "\n".join(found)
