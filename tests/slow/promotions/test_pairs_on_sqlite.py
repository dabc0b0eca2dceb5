"""Two acts at once come to what one after the other may come to: every pair of every state of lifecycle.py."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.slow.promotions.at_once import pairs, scenes, wrong
from tests.slow.promotions.lifecycle import STATES
from tests.slow.promotions.pairs import Scene


class Files:
    def __init__(self, folder: Path, blank: Path) -> None:
        self.folder, self.blank = folder, blank

    @contextmanager
    def make(self, name: str) -> Iterator[str]:
        shutil.copy(self.blank, self.folder / f"{name}.db")
        yield f"sqlite:///{self.folder}/{name}.db"

    @contextmanager
    def copy(self, name: str) -> Iterator[str]:
        shutil.copy(self.folder / f"{name}.db", self.folder / "copy.db")
        yield f"sqlite:///{self.folder}/copy.db"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> Files:
    return Files(tmp_path_factory.mktemp("pairs"), blank)


@pytest.fixture(scope="module")
def made(files: Files) -> Iterator[dict[str, Scene]]:
    with scenes(files.folder) as found:
        for name, scene in found.items():
            with files.make(name) as url:
                scene.make(url)
        yield found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("state", STATES)
def test_two_acts_at_once_are_one_after_the_other(made: dict[str, Scene], files: Files, state: str) -> None:
    found = [why for one, other in pairs(state) for why in wrong(made[state], files, one, other)]
    assert not found, "\n".join(found)
