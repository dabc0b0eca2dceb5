"""Every two acts of a state, at once: what test_pairs_on_sqlite.py and test_pairs_on_postgresql.py claim alike."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from mlflow import MlflowClient

from tests.mlflow_server import train_logged_model
from tests.slow.promotions.lifecycle import STATES, ends
from tests.slow.promotions.mlflow_in_process import in_process
from tests.slow.promotions.pairs import Pair, Scene, expected


class Copies(Protocol):
    """Ledgers: an empty one, migrated, by the name of a state, and copies of it as it was left."""

    def make(self, name: str) -> AbstractContextManager[str]: ...
    def copy(self, name: str) -> AbstractContextManager[str]: ...


@contextmanager
def scenes(folder: Path) -> Iterator[dict[str, Scene]]:
    """Of each state one, not made yet; in one MLflow, with the same few runs."""
    with in_process(folder) as uri:
        client = MlflowClient(uri)
        client.create_experiment("taxi", artifact_location=f"file://{folder}/artifacts")
        runs = [train_logged_model(client, rmse=5.0) for _ in range(4)]
        yield {state: Scene(state, folder, uri, client, runs) for state in STATES}


def pairs(state: str) -> list[tuple[str, str]]:
    """Each with itself, too."""
    acts = list(STATES[state].acts)
    return [(one, other) for number, one in enumerate(acts) for other in acts[number:]]


def wrong(scene: Scene, copies: Copies, one: str, other: str) -> list[str]:
    """What nothing explains of two acts: both written before anything is done, and the other way round with one that
    comes while the other is done.
    """
    found = []
    for first, then, between in ((one, other, False), (other, one, True)):
        with copies.copy(scene.state) as url:
            scene.restore()
            if why := _wrong(Pair(scene, url, first, then), between=between):
                found.append(f"{scene.state}: {first}, and {then}{' meanwhile' if between else ''}: {why}")
    return found


def _wrong(pair: Pair, *, between: bool) -> str | None:
    state = STATES[pair.scene.state]
    try:
        pair.run(between=between)
        pair.assert_sound()
        acts = (state.acts[pair.first], state.acts[pair.then])
        world = replace(state.world, late=pair.late)
        may_be = [expected(end) for end in ends(world, *acts, written_first=not between)]
        end = pair.end()
        return None if end in may_be else f"it came to {end}, and not to one of {may_be}"
    except AssertionError as error:
        return str(error)
    finally:
        pair.close()
