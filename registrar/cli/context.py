"""The context of a command: the data folder or a remote receiver, and the settings, policy and ledger found by it."""

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from registrar.cli.lazy_group import load
from registrar.config.settings import Settings, SettingsError, from_folder, process_environment
from registrar.errors import UserError

if TYPE_CHECKING:  # each is loaded when it is used: SQLAlchemy, pydantic and requests take longer than most commands
    from registrar.events.event import Actor
    from registrar.http.api_client import Client
    from registrar.ledger import Ledger
    from registrar.policy import Policy
    from registrar.queries.query_service import QueryService

HERE = Path("registrar.yml")


def existing_config(data: Path) -> Path | None:
    """Return ./registrar.yml, else the data folder's, else None."""
    return next((path for path in (HERE, data / "registrar.yml") if path.exists()), None)


def local_user() -> "Actor":
    """Return the user of this process as local:USER. USER is the uid where it has no name, as in a container."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    actor: Actor = load("registrar.events.event:Actor")(f"local:{user}", f"{user} on {socket.gethostname()}")
    return actor


class OnlyHere(UserError):
    """A command works only on this machine's installation, but was pointed at a remote receiver."""

    exit_code = 2


@dataclass(frozen=True)
class Context:
    """The object that @click.pass_obj gives to a command. data: the folder of `registrar up`.

    url: a remote receiver. named: it was given by --url, not by REGISTRAR_URL, which may also name the receiver of the
    data folder. answer_within: seconds that a receiver has for an answer; None for the clients' defaults.
    """

    data: Path
    url: str | None = None
    token_file: Path | None = None
    named: bool = False
    answer_within: float | None = None

    @cached_property
    def remote(self) -> "Client | None":
        """Return a client of the remote receiver; None for this machine's. Raises BadAddress, SettingsError."""
        if self.url is None or (not self.named and self._is_here(self.url)):
            return None
        return self._client(self.url)

    @property
    def receiver(self) -> "Client":
        """Return a client of the remote receiver, or of this machine's at its local address, with a token if any.

        Raises BadAddress, SettingsError.
        """
        return self.remote or self._client(self.settings().local_url)

    def here(self) -> None:
        """Raise OnlyHere if a remote receiver is meant."""
        if self.remote:
            leave = "leave --url away" if self.named else "unset REGISTRAR_URL"
            raise OnlyHere(
                f"this works on the installation of the machine it runs on, and not on {self.remote.url}: "
                f"run it there, or {leave}"
            )

    def started_here(self) -> None:
        """Raise OnlyHere if --url was given; ignore REGISTRAR_URL. For commands that start parts on this machine."""
        if self.named:
            self.here()

    def settings(self) -> Settings:
        """Return the settings that `registrar up` wrote; environment variables win. Raises SettingsError, OnlyHere."""
        self.here()
        return from_folder(self.data)

    def policy(self) -> "Policy":
        """Load registrar.yml. Raises SettingsError, PolicyError, OnlyHere."""
        loaded: Policy = load("registrar.policy:load")(self.settings().config_path)
        return loaded

    @contextmanager
    def ledger(self, *, checked: bool = True) -> "Iterator[Ledger]":
        """Yield the ledger, with its schema checked. Raises SettingsError, LedgerUnavailable, SchemaMismatch."""
        with load("registrar.cli.open_ledger:open_ledger")(self.settings().ledger_url, checked=checked) as opened:
            yield opened

    @contextmanager
    def reading(self, *, archive: str | None = None) -> "Iterator[QueryService]":
        """Yield the queries of the remote receiver, or of the ledger here. Raises UserError.

        archive: where the archive files of the ledger here are now; None: where they were written.
        """
        if archive is not None:
            self.here()
        if self.remote:
            yield load("registrar.queries.remote:RemoteQueries")(self.remote)
        else:
            with self.ledger() as ledger:
                yield load("registrar.queries.local:LocalQueries")(ledger, self.policy, archive)

    def _client(self, url: str) -> "Client":
        client: Client = load("registrar.http.api_client:Client")(url, self._token(), answer_within=self.answer_within)
        return client

    def _is_here(self, url: str) -> bool:
        try:
            here = from_folder(self.data)
        except SettingsError:
            return False
        return url.rstrip("/") in {own.rstrip("/") for own in (here.local_url, here.public_url) if own}

    def _token(self) -> str | None:
        """Read the token from its file, or the environment; as an argument, other users could see it."""
        if self.token_file is None:
            return process_environment().get("REGISTRAR_TOKEN", "").strip() or None
        try:
            token = self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SettingsError(f"the token's file {self.token_file} can't be read: {why}") from None
        if not token:  # without a token the request would be made as somebody else: the local operator
            raise SettingsError(f"the token's file {self.token_file} is empty; `registrar token create` prints one")
        return token
