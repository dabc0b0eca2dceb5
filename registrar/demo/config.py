"""Creates the demo's registrar.yml and secrets in the data folder, and uses the same secrets on every run."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template

from registrar.config.key_generation import new_webhook_secret
from registrar.local.data_folder import Folder

FOLDER_MODE = 0o700
SECRET_MODE = 0o600


@dataclass(frozen=True)
class Secrets:
    """Secrets that the demo's CI job, chat and deploy system share with Registrar."""

    ci: str = field(repr=False)
    slack: str = field(repr=False)
    deploy: str = field(repr=False)
    chat: str = field(repr=False)  # part of the chat's address, as with a Slack incoming webhook


@dataclass(frozen=True)
class Place:
    """The demo's part of a data folder."""

    folder: Path

    @classmethod
    def inside(cls, data: Path) -> "Place":
        """Create DATA/demo and DATA/demo/secrets, for their owner only. Raises BadFolder."""
        place = cls(data.absolute() / "demo")
        Folder(data.absolute()).prepare()
        place._secrets.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        return place

    @property
    def _secrets(self) -> Path:
        return self.folder / "secrets"

    def secrets(self) -> Secrets:
        """Return the secrets, which are made on the first run and then kept."""
        return Secrets(
            ci=self._kept("ci", new_webhook_secret),
            slack=self._kept("slack", secrets.token_hex),
            deploy=self._kept("deploy", new_webhook_secret),
            chat=self._kept("chat", secrets.token_urlsafe),
        )

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        path = self._secrets / name
        if not path.exists():
            self._write_secret(name, make())
        return path.read_text(encoding="utf-8").strip()

    def _write_secret(self, name: str, value: str) -> None:
        path = self._secrets / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, SECRET_MODE), "w", encoding="utf-8") as file:
            file.write(value + "\n")

    @property
    def config(self) -> Path:
        return self.folder / "registrar.yml"

    @property
    def port(self) -> int:
        """Return the chat's port of the last run, or 0."""
        path = self.folder / "port"
        return int(path.read_text(encoding="utf-8")) if path.exists() else 0

    def write_config(self, *, chat_port: int, team_chat_url: str, deploy_url: str) -> None:
        """Write a registrar.yml that sends messages to the demo's chat at these addresses."""
        (self.folder / "port").write_text(str(chat_port), encoding="utf-8")
        self._write_secret("team-chat-url", team_chat_url)
        self._write_secret("deploy-url", deploy_url)
        template = Template(files("registrar.demo").joinpath("registrar.yml").read_text(encoding="utf-8"))
        self.config.write_text(template.substitute(chat_host=f"127.0.0.1:{chat_port}"), encoding="utf-8")
