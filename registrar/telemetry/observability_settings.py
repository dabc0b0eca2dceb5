"""Settings of logs, metrics, traces and Celery's task events. All but the logs are off by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

_SWITCH = {"1": True, "0": False, "": False}


def address(text: str) -> tuple[str, int]:
    """Parse HOST:PORT, with [..] around an IPv6 address. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port is None or parts.netloc != text:
        raise ValueError("an address such as 127.0.0.1:9102")
    return parts.hostname, parts.port


@dataclass(frozen=True)
class ObservabilitySettings:
    """receiver_metrics, worker_metrics, beat_metrics: (host, port) of the metrics without a login, for Prometheus.

    tracing: whether an OTLP endpoint is set. task_events: whether Celery sends task events, which Flower shows.
    """

    log: Literal["console", "json"] = "console"
    receiver_metrics: tuple[str, int] | None = None
    worker_metrics: tuple[str, int] | None = None
    beat_metrics: tuple[str, int] | None = None
    tracing: bool = False
    task_events: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings. Raises ValueError that names the wrong one."""
        return cls(
            _log(environ),
            _address(environ, "REGISTRAR_METRICS"),
            _address(environ, "REGISTRAR_WORKER_METRICS"),
            _address(environ, "REGISTRAR_BEAT_METRICS"),
            _tracing(environ),
            _switch(environ, "REGISTRAR_TASK_EVENTS"),
        )


def _log(environ: Mapping[str, str]) -> Literal["console", "json"]:
    match environ.get("REGISTRAR_LOG") or "console":
        case "console":
            return "console"
        case "json":
            return "json"
        case other:
            raise ValueError(f"REGISTRAR_LOG: console or json, not {other[:32]!r}")


def _address(environ: Mapping[str, str], name: str) -> tuple[str, int] | None:
    try:
        return address(environ[name]) if environ.get(name) else None
    except ValueError:
        raise ValueError(f"{name}: an address such as 127.0.0.1:9102") from None


def _tracing(environ: Mapping[str, str]) -> bool:
    """https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/"""
    has_endpoint = any(environ.get(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT") for name in ("", "TRACES_"))
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return has_endpoint and not disabled


def _switch(environ: Mapping[str, str], name: str) -> bool:
    if (value := environ.get(name, "")) not in _SWITCH:
        raise ValueError(f"{name}: 1 or 0")
    return _SWITCH[value]
