"""docker-compose.yml as a test reads it: its defaults put in, its paths and addresses turned into this machine's."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
_VARIABLE = re.compile(r"\$\{\w+:?-([^}]*)\}")
_COPIED = re.compile(r"^COPY (deploy/\S+) (\S+)$", re.MULTILINE)


def read() -> dict[str, Any]:
    """The file, merged; every ${NAME:-default} and ${NAME-default} is its default."""
    content: dict[str, Any] = _each(yaml.safe_load(COMPOSE_FILE.read_text()), _defaults)
    return content


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read()["services"]
    return found


def lasting() -> dict[str, dict[str, Any]]:
    """The services that run for ever."""
    return {name: service for name, service in services().items() if name != "migrate"}


def ours() -> dict[str, dict[str, Any]]:
    """Those that `docker compose up` starts, without a profile."""
    return {name: service for name, service in services().items() if "profiles" not in service}


def _defaults(text: str) -> str:
    return _VARIABLE.sub(r"\1", text).replace("$$", "$")


def _each(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(value)
        case list():
            return [_each(item, change) for item in value]
        case dict():
            return {key: _each(item, change) for key, item in value.items()}
    return value


@dataclass(frozen=True)
class Ground:
    """Where a service's container would be: folders under `folder`, loopback ports in place of its network's."""

    name: str
    service: Mapping[str, Any]
    folder: Path
    ports: Mapping[str, int]

    @property
    def secrets(self) -> Path:
        """Only what the service is given, as compose mounts it."""
        return self.folder / self.name / "secrets"

    @property
    def tmpfs(self) -> list[Path]:
        return [self._tmpfs(mount) for mount in self.service.get("tmpfs", [])]

    @property
    def volumes(self) -> dict[str, Path]:
        """Named ones: path in the container -> folder here."""
        return {there: self.folder / "volumes" / name for name, there in self._mounts() if not name.startswith(".")}

    @property
    def files(self) -> dict[str, tuple[Path, Path]]:
        """Mounted ones: path in the container -> file of the repository, its copy with the paths of here."""
        copies = self.folder / self.name / "files"
        mounts = [(there, ROOT / source) for source, there in self._mounts() if source.startswith(".")]
        return {there: (source, copies / source.name) for there, source in mounts}

    def paths(self) -> dict[str, str]:
        """Path in the container -> path here."""
        return {
            "/run/secrets": str(self.secrets),
            **{copied: str(ROOT / here) for here, copied in _COPIED.findall(DOCKERFILE)},
            **{mount.split(":")[0]: str(self._tmpfs(mount)) for mount in self.service.get("tmpfs", [])},
            **{there: str(volume) for there, volume in self.volumes.items()},
            **{there: str(copy) for there, (_, copy) in self.files.items()},
        }

    def here(self, text: str) -> str:
        """A word of the file with this machine's paths, addresses and ports. A list of host names stays one."""
        if ",mlflow:" in text:
            return text
        names = "|".join(map(re.escape, sorted(self.paths(), key=len, reverse=True)))
        numbers = "|".join(self.ports)
        loopback = rf"(?:127\.0\.0\.1|0\.0\.0\.0|localhost)(?::({numbers}))?(?![\w.])"
        service = rf"(?<=[@/])(?:redis|postgres|mlflow):({numbers})(?!\w)"
        pattern = rf"(?<![\w./])({names})(?![\w-])|{loopback}|{service}|(?<![\w:.])({numbers})(?!\w)"
        return re.sub(pattern, self._replacement, text)

    def _replacement(self, match: re.Match[str]) -> str:
        path, at_loopback, at_service, port = match.groups()
        if path:
            return self.paths()[path]
        if port:
            return str(self.ports[port])
        number = at_loopback or at_service
        return f"127.0.0.1:{self.ports[number]}" if number else "127.0.0.1"

    def command(self) -> list[str]:
        return [self.here(word) for word in (*self.service.get("entrypoint", []), *self.service["command"])]

    def healthcheck(self) -> list[str]:
        kind, *words = self.service["healthcheck"]["test"]
        return ["sh", "-c", self.here(*words)] if kind == "CMD-SHELL" else [self.here(word) for word in words]

    def environment(self) -> dict[str, str]:
        return {name: self.here(value) for name, value in self.service.get("environment", {}).items()}

    def _tmpfs(self, mount: str) -> Path:
        return self.folder / self.name / "tmpfs" / mount.split(":", maxsplit=1)[0].strip("/").replace("/", "-")

    def _mounts(self) -> list[tuple[str, str]]:
        words = [volume.split(":") for volume in self.service.get("volumes", [])]
        return [(source, there) for source, there, *_ in words]
