"""What commands share: the data folder or a receiver elsewhere; settings, policy, ledger and record found by it."""

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from registrar import policy as policies
from registrar.config.credentials import without_login
from registrar.config.settings import Settings, SettingsError, from_folder, process_environment
from registrar.errors import UserError
from registrar.events.event import Actor
from registrar.http.api_client import Client
from registrar.ledger import Ledger
from registrar.ledger.engine import LedgerUnavailable
from registrar.ledger.schema import check
from registrar.policy import Policy
from registrar.queries.local import LocalQueries
from registrar.queries.query_service import QueryService
from registrar.queries.remote import RemoteQueries

HERE = Path("registrar.yml")


def existing_config(data: Path) -> Path | None:
    """./registrar.yml, else the data folder's, else None."""
    return next((path for path in (HERE, data / "registrar.yml") if path.exists()), None)


def local_user() -> Actor:
    """As local:USER; in a container the user may have no name."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return Actor(f"local:{user}", f"{user} on {socket.gethostname()}")


class OnlyHere(UserError):
    """A command that works on this machine's own installation was pointed at a receiver elsewhere."""

    exit_code = 2


@dataclass(frozen=True)
class Context:
    """What @click.pass_obj gives to a command. data: the folder of `registrar up`.

    url: of a receiver elsewhere. named: by --url, and not by REGISTRAR_URL: that is also what CI jobs call the
    receiver, and where it is the one of the data folder, it is not elsewhere. answer_within: seconds that a receiver
    has for an answer; None: what its clients think best.
    """

    data: Path
    url: str | None = None
    token_file: Path | None = None
    named: bool = False
    answer_within: float | None = None

    @cached_property
    def remote(self) -> Client | None:
        """The receiver elsewhere. Raises BadAddress, SettingsError."""
        if self.url is None or (not self.named and self._is_here(self.url)):
            return None
        return Client(self.url, self._token(), answer_within=self.answer_within)

    @property
    def receiver(self) -> Client:
        """Where commands are given: the receiver elsewhere, or this machine's by its local address, whatever name the
        world knows it by; with a token if there is one. Raises BadAddress, SettingsError.
        """
        return self.remote or Client(self.settings().local_url, self._token(), answer_within=self.answer_within)

    def here(self) -> None:
        """Raises OnlyHere where a receiver elsewhere is meant."""
        if self.remote:
            leave = "leave --url away" if self.named else "unset REGISTRAR_URL"
            raise OnlyHere(
                f"this works on the installation of the machine it runs on, and not on {self.remote.url}: "
                f"run it there, or {leave}"
            )

    def started_here(self) -> None:
        """Of commands that start parts on this machine, whatever REGISTRAR_URL is for others. Raises OnlyHere."""
        if self.named:
            self.here()

    def settings(self) -> Settings:
        """As `registrar up` wrote them; what is set in the environment wins. Raises SettingsError, OnlyHere."""
        self.here()
        return from_folder(self.data)

    def policy(self) -> Policy:
        """registrar.yml. Raises SettingsError, PolicyError, OnlyHere."""
        return policies.load(self.settings().config_path)

    @contextmanager
    def ledger(self, *, checked: bool = True) -> Iterator[Ledger]:
        """The ledger; its schema is this version's. Raises SettingsError, LedgerUnavailable, SchemaMismatch."""
        opened = Ledger(self.settings().ledger_url)
        try:
            if checked:
                check(opened)
            yield opened
        except LedgerUnavailable as error:
            where = without_login(self.settings().ledger_url)
            raise LedgerUnavailable(f"the ledger {where} {error.reason}: {error}", error.reason) from error
        finally:
            opened.close()

    @contextmanager
    def reading(self) -> Iterator[QueryService]:
        """The record: of the receiver elsewhere, or of the ledger here. Raises UserError."""
        if self.remote:
            yield RemoteQueries(self.remote)
        else:
            with self.ledger() as ledger:
                yield LocalQueries(ledger, self.policy)

    def _is_here(self, url: str) -> bool:
        try:
            here = from_folder(self.data)
        except SettingsError:
            return False
        return url.rstrip("/") in {each.rstrip("/") for each in (here.local_url, here.public_url) if each}

    def _token(self) -> str | None:
        """Of the file, else of the environment: on the command line all the machine could read it."""
        if self.token_file is None:
            return process_environment().get("REGISTRAR_TOKEN", "").strip() or None
        try:
            token = self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SettingsError(f"the token's file {self.token_file} can't be read: {why}") from None
        if not token:  # as nobody, or as this machine's operator, it would be asked by another than who was meant
            raise SettingsError(f"the token's file {self.token_file} is empty; `registrar token create` prints one")
        return token
