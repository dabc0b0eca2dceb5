"""One part of an installation: how it is started, when it is ready, and how long it may take."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from registrar.local.probes import Alive, Probe


@dataclass(frozen=True)
class Service:
    """A process. Times in seconds.

    environment: what it is told beyond the installation's own. forgets: it is told no variable that begins so.
    needs: the parts that must be ready before it. once: it ends by itself with exit code 0, and is ready then.
    address: where people reach it. advice: what to do when it can't start.
    """

    name: str
    command: tuple[str, ...]
    ready: Probe = field(default=Alive(0))
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    forgets: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    once: bool = False
    start_timeout: float = 60
    stop_timeout: float = 10
    address: str = ""
    advice: str = ""
