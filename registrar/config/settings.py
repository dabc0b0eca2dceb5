"""The settings of a process: one frozen object, read once from a mapping (usually the environment)."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote

from registrar.config.credentials import complaint
from registrar.errors import UserError
from registrar.telemetry.observability_settings import ObservabilitySettings

ENVIRONMENT_FILE = "environment"  # in the folder of `registrar up`
LOCAL_URL = "http://127.0.0.1:8080"  # the receiver's address inside its container


class SettingsError(UserError, ValueError):
    """A setting is missing or wrong; the process refuses to start, and the message says which it is."""

    exit_code = 2


_EXAMPLES = {
    "REGISTRAR_CONFIG": "/etc/registrar/registrar.yml",
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
    "REGISTRAR_LEDGER_URL": "sqlite:////var/lib/registrar/ledger.db or postgresql+psycopg://user:pw@host/registrar",
    "REGISTRAR_BROKER_URL": "redis://redis:6379/0",
    "REGISTRAR_SECRET_KEY": "44 characters from `registrar secret`; the same for receiver and worker",
}
_RECREATE = "`registrar up` writes it anew"
_ADDRESSES = ("MLFLOW_TRACKING_URI", "REGISTRAR_LEDGER_URL", "REGISTRAR_BROKER_URL")


@dataclass(frozen=True)
class Settings:
    """Addresses and keys; its repr shows no secrets.

    Each NAME may also be set as NAME_FILE, the path of a file with the value (container secrets). environ: kept for the
    `env:NAME` secrets of registrar.yml. local_operator: the person of registrar.yml, or source:NAME, as whom users of
    the receiver's machine act; None: they may only read. local_url: the receiver's address on its own machine, for
    commands of the local operator. mlflow_url: MLflow's address for browsers; None: the tracking URI, if that is http.
    """

    config_path: Path
    mlflow_uri: str = field(repr=False)
    ledger_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    public_url: str | None
    artifacts_folder: Path
    environ: Mapping[str, str] = field(repr=False)
    local_operator: str | None = None
    watching: ObservabilitySettings = field(default_factory=ObservabilitySettings)
    mlflow_url: str | None = None
    local_url: str = LOCAL_URL

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read and check the settings. Raises SettingsError, which names all that are missing, and no password."""
        values = {name: _value(environ, name) for name in _EXAMPLES}
        missing = [f"{name} (such as {_EXAMPLES[name]})" for name, value in values.items() if not value]
        if missing:
            raise SettingsError("missing in the environment: " + "; ".join(missing))
        if problems := [f"{name}: {why}" for name in _ADDRESSES if (why := complaint(values[name] or ""))]:
            raise SettingsError("; ".join(problems))
        try:
            watching = ObservabilitySettings.read(environ)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        return cls(
            config_path=Path(values["REGISTRAR_CONFIG"] or ""),
            mlflow_uri=values["MLFLOW_TRACKING_URI"] or "",
            ledger_url=values["REGISTRAR_LEDGER_URL"] or "",
            broker_url=values["REGISTRAR_BROKER_URL"] or "",
            secret_key=values["REGISTRAR_SECRET_KEY"] or "",
            public_url=_value(environ, "REGISTRAR_PUBLIC_URL"),
            artifacts_folder=Path(_value(environ, "REGISTRAR_ARTIFACTS") or "artifacts"),
            environ=environ,
            local_operator=_value(environ, "REGISTRAR_LOCAL_OPERATOR"),
            watching=watching,
            mlflow_url=_value(environ, "REGISTRAR_MLFLOW_URL"),
            local_url=_value(environ, "REGISTRAR_LOCAL_URL") or LOCAL_URL,
        )

    @classmethod
    def of_file(cls, path: Path, environ: Mapping[str, str]) -> Self:
        """Return settings with registrar.yml alone, to read its secrets."""
        return cls(path, "", "", "", "", None, Path(), environ)

    def page(self, *path: str) -> str | None:
        """Return the address of a page for browsers, such as page("models", "taxi"); None without a public address."""
        if self.public_url is None:
            return None
        return "/".join((self.public_url.rstrip("/"), *(quote(part, safe="") for part in path)))

    def secret(self, reference: str) -> str:
        """Return the value of `env:NAME` or `file:PATH`. Raises SettingsError if it is missing or empty."""
        return resolve(reference, environ=self.environ, folder=self.config_path.parent)


def resolve(reference: str, *, environ: Mapping[str, str], folder: Path) -> str:
    """Return a secret's value. folder: registrar.yml's, where a relative `file:PATH` starts. Raises SettingsError."""
    kind, _, name = reference.partition(":")
    try:
        value = environ.get(name, "") if kind == "env" else (folder / name).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{reference} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{reference} is not UTF-8 text") from None
    if not value.strip():
        raise SettingsError(f"{reference} is empty or not set")
    return value.strip()


def process_environment() -> dict[str, str]:
    """Return the process's environment; nothing else reads it."""
    return dict(os.environ)


def from_environment() -> Settings:
    """Return the settings from the process's environment."""
    return Settings.read(process_environment())


def from_folder(data: Path) -> Settings:
    """Return the settings that `registrar up` wrote into its folder; the environment wins. Raises SettingsError."""
    from_file = folder_environment(data)
    try:
        return Settings.read(from_file | {name: value for name, value in process_environment().items() if value})
    except SettingsError as error:
        if from_file:
            raise
        hint = (
            f"`registrar up` writes them to {data / ENVIRONMENT_FILE}, or name its folder: registrar --data FOLDER; "
            "or ask a receiver elsewhere: registrar --url URL"
        )
        has_settings = any(_value(process_environment(), name) for name in _EXAMPLES if name.startswith("REGISTRAR_"))
        raise SettingsError(f"{error}\n{hint}" if has_settings else _no_installation_message(data)) from None


def _no_installation_message(data: Path) -> str:
    """Return an error message for a wrong folder, or where `registrar up` never ran."""
    return (
        f"there is no installation here: no {data / ENVIRONMENT_FILE}, which `registrar up` writes, and no settings in "
        f"the environment ({', '.join(_EXAMPLES)})\nStart one with `registrar up`, go to its folder, or name its data: "
        "registrar --data FOLDER; a receiver elsewhere is asked with registrar --url URL"
    )


def folder_environment(data: Path) -> dict[str, str]:
    """Return the NAME=VALUE lines that `registrar up` wrote into its folder; {}: it never ran."""
    try:
        lines = (data / ENVIRONMENT_FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{data / ENVIRONMENT_FILE} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{data / ENVIRONMENT_FILE} is not UTF-8 text; {_RECREATE}") from None
    try:
        words = [word for line in lines for word in shlex.split(line, comments=True)]
    except ValueError:
        raise SettingsError(f"{data / ENVIRONMENT_FILE} has a quote that is not closed; {_RECREATE}") from None
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _value(environ: Mapping[str, str], name: str) -> str | None:
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name) or None  # CI systems set variables without a value to ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{name}_FILE={path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}_FILE={path} is not UTF-8 text") from None
