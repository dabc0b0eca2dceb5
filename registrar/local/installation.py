"""Chooses ports, addresses, the local operator and the services' environment of an installation in a data folder."""

import json
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from registrar import policy
from registrar.errors import UserError
from registrar.local.data_folder import Folder
from registrar.local.process_tree import MARK
from registrar.policy import PolicyError

LOOPBACK = "127.0.0.1"


class PortTaken(UserError):
    """The requested port is used by another program."""


def choose_ports(names: Iterable[str], path: Path, *, fixed: dict[str, int]) -> dict[str, int]:
    """Return a free port for each name, and write them to `path` for the next run. Raises PortTaken for a fixed one."""
    last = _read_last_ports(path)
    chosen = {}
    with ExitStack() as held:  # all are bound at the same time, so that none is chosen twice
        for name in sorted(names, key=lambda name: name not in fixed):
            chosen[name] = held.enter_context(_bind_or_any(name, fixed.get(name), last.get(name, 0))).getsockname()[1]
    path.write_text(json.dumps(last | chosen) + "\n", encoding="utf-8")
    return chosen


def _bind_or_any(name: str, fixed: int | None, last: int) -> socket.socket:
    try:
        return _bind(last if fixed is None else fixed)
    except OSError as error:
        if fixed is not None:
            raise PortTaken(f"port {fixed} for the {name} can't be used: {error.strerror}; give another one") from None
    return _bind(0)


def _bind(port: int) -> socket.socket:
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound


def _read_last_ports(path: Path) -> dict[str, int]:
    try:
        ports = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(ports, dict):
        return {}
    return {name: port for name, port in ports.items() if isinstance(port, int) and 1024 <= port <= 65535}


_MLFLOW_CLIENT = ("MLFLOW_TRACKING_", "MLFLOW_REGISTRY_URI")


@dataclass(frozen=True)
class Addresses:
    """URLs of the parts."""

    receiver_url: str
    mlflow_url: str
    broker_url: str
    ledger_url: str


@dataclass(frozen=True)
class Installation:
    """ports: by name of the service: receiver, and redis and mlflow if this installation runs them.

    mlflow, ledger, broker: URLs to use instead of services of this installation. operator: the actor of commands from
    this machine.
    """

    folder: Folder
    config: Path
    ports: Mapping[str, int]
    secret_key: str = field(repr=False)
    mlflow: str | None = None
    ledger: str | None = field(default=None, repr=False)
    broker: str | None = field(default=None, repr=False)
    public_url: str | None = None
    operator: str | None = None

    @property
    def addresses(self) -> Addresses:
        return Addresses(
            receiver_url=f"http://{LOOPBACK}:{self.ports['receiver']}",
            mlflow_url=self.mlflow or f"http://{LOOPBACK}:{self.ports['mlflow']}",
            broker_url=self.broker or f"redis://{LOOPBACK}:{self.ports['redis']}/0",
            ledger_url=self.ledger or self.folder.ledger_url,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that Settings.read reads. They are also written into the folder, for other commands."""
        at = self.addresses
        return {
            "REGISTRAR_CONFIG": str(self.config),
            "MLFLOW_TRACKING_URI": at.mlflow_url,
            "REGISTRAR_LEDGER_URL": at.ledger_url,
            "REGISTRAR_BROKER_URL": at.broker_url,
            "REGISTRAR_SECRET_KEY": self.secret_key,
            "REGISTRAR_PUBLIC_URL": self.public_url or at.receiver_url,
            "REGISTRAR_LOCAL_URL": at.receiver_url,
            "REGISTRAR_ARTIFACTS": str(self.folder.path / "artifacts"),
            **({"REGISTRAR_LOCAL_OPERATOR": self.operator} if self.operator else {}),
        }

    def environ(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the services. outer: the environment of `registrar up`.

        Leaves out NAME_FILE, which would win over our NAME; and the address and credentials of another MLflow server,
        if this installation runs its own.
        """
        ours = self.environment
        kept = {
            name: value
            for name, value in outer.items()
            if name.removesuffix("_FILE") not in ours and (self.mlflow or not name.startswith(_MLFLOW_CLIENT))
        }
        return {**kept, **ours, MARK: self.folder.mark, "PYTHONUNBUFFERED": "1"}


SOURCE = "operator"  # a source of the starter registrar.yml


def local_operator(config: Path, outer: Mapping[str, str]) -> str | None:
    """Return REGISTRAR_LOCAL_OPERATOR, else the source `operator` if registrar.yml has it, else None."""
    if operator := outer.get("REGISTRAR_LOCAL_OPERATOR"):
        return operator
    try:
        return f"source:{SOURCE}" if SOURCE in policy.load(config).sources else None
    except PolicyError:  # the receiver reports it
        return None
