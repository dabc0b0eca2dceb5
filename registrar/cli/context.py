"""What commands share: the data folder, and the settings, the policy and the ledger found by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registrar import policy as policies
from registrar.ledger import Ledger
from registrar.ledger.schema import check
from registrar.policy import Policy
from registrar.settings import Settings, from_folder


@dataclass(frozen=True)
class Context:
    """What @click.pass_obj gives to a command. data: the folder of `registrar up`."""

    data: Path

    def settings(self) -> Settings:
        """As `registrar up` wrote them; what is set in the environment wins. Raises SettingsError."""
        return from_folder(self.data)

    def policy(self) -> Policy:
        """registrar.yml. Raises SettingsError, PolicyError."""
        return policies.load(self.settings().config_path)

    @contextmanager
    def ledger(self, *, checked: bool = True) -> Iterator[Ledger]:
        """The ledger, its schema that of this version. Raises SettingsError, LedgerUnavailable, SchemaMismatch."""
        opened = Ledger(self.settings().ledger_url)
        try:
            if checked:
                check(opened)
            yield opened
        finally:
            opened.close()
