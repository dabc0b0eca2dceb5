"""The MLflow servers that Registrar is known to work with, and what each lacks: the one home of that list.

tests/slow/mlflow_servers does the main job on each of them, and holds the columns against the server. The table in
docs/how-to/deploy.md is made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class KnownServer:
    """A server. logged_models: it stores models beside runs, as MLflow 3 does. drops_aliases: of a deleted version."""

    version: str
    webhooks: bool
    logged_models: bool
    workspaces: bool
    drops_aliases: bool

    @property
    def numbers(self) -> tuple[int, ...]:
        return numbers(self.version)

    def falls_back(self) -> list[str]:
        """Say what is done otherwise on this server, for the doctor."""
        lacks = {
            "no webhooks, poll_every asks it what changed": not self.webhooks,
            "no logged models, so a run's model is among its artifacts": not self.logged_models,
            "an alias stays with a version that was deleted": not self.drops_aliases,
        }
        return [what for what, is_so in lacks.items() if is_so]


KNOWN: Sequence[KnownServer] = (
    KnownServer("2.9.2", webhooks=False, logged_models=False, workspaces=False, drops_aliases=False),
    KnownServer("2.22.5", webhooks=False, logged_models=False, workspaces=False, drops_aliases=False),
    KnownServer("3.4.0", webhooks=True, logged_models=True, workspaces=False, drops_aliases=False),
    KnownServer("3.17.2", webhooks=True, logged_models=True, workspaces=True, drops_aliases=True),
)
_TOO_NEW = 4


def known(version: str) -> KnownServer | None:
    """Return the newest known server that is not newer than this one; None where it is too old, or too new."""
    older = [server for server in KNOWN if server.numbers[:2] <= numbers(version)[:2]]
    return older[-1] if older and numbers(version)[0] < _TOO_NEW else None


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with; () where it begins with none."""
    parts = version.split(".")
    end = next((place for place, part in enumerate(parts) if not part.isdigit()), len(parts))
    return tuple(int(part) for part in parts[:end])
