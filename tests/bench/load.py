"""Signed requests, each another delivery, and wrk, which sends them as fast as they are answered."""

import hmac
import json
import subprocess
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from registrar.http import signing

BODY_BYTES = 931
_SCRIPT = Path(__file__).with_name("wrk.lua")
_PATIENCE = 10  # seconds, of one request


class LoadError(RuntimeError):
    """Something was answered with no 2xx, or not at all: there is no figure."""


@dataclass(frozen=True)
class Load:
    """What wrk saw. Times in seconds."""

    connections: int
    completed: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.completed / self.seconds


def body() -> bytes:
    """An event of 931 bytes, as a CI job sends it. Each of a model of its own, the worst case: all of them can
    begin at once, where of events of one model the first alone can.
    """
    data = {
        "model": f"nyc-taxi-{uuid.uuid4().hex[:9]}",
        "run_id": uuid.uuid4().hex,
        "artifact_path": "model",
        "commit": "9f2c4e1d0b7a6c5e4f3a2b1c0d9e8f7a6b5c4d3e",
        "tags": {"pipeline": "1841", "branch": "main", "trigger": "schedule"},
        "description": "",
    }
    event = {
        "type": "training_run.finished",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": data,
    }
    data["description"] = "weekly retraining on the last ninety days " * 20
    data["description"] = data["description"][: BODY_BYTES - len(json.dumps(event)) or None]
    return json.dumps(event).encode()


def signed(secret: str, sent: bytes) -> dict[str, str]:
    """Headers of a new delivery: Standard Webhooks, and a plain HMAC of the body for who knows only that."""
    plain = hmac.digest(secret.encode(), sent, "sha256").hex()
    standard = signing.standard_webhooks(secret, id=f"msg_{uuid.uuid4().hex}", timestamp=datetime.now(UTC), body=sent)
    return {"content-type": "application/json", **standard, "x-signature": f"sha256={plain}"}


def requests(count: int, *, secret: str, path: str) -> list[bytes]:
    """Whole HTTP requests, all of the same size."""
    return [_request(body(), secret, path) for _ in range(count)]


def _request(sent: bytes, secret: str, path: str) -> bytes:
    headers = {"host": "127.0.0.1", "content-length": str(len(sent)), **signed(secret, sent)}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + sent


def send(port: int, ready: list[bytes], *, connections: int, seconds: float, folder: Path) -> Load:
    """Raises LoadError where anything was refused, broken off, or sent twice for want of more."""
    file = folder / "requests"
    file.write_bytes(b"".join(ready))
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:.0f}s"]
    command += ["--timeout", f"{_PATIENCE}s", "--script", str(_SCRIPT), f"http://127.0.0.1:{port}", "--"]
    told = subprocess.run([*command, str(file), str(len(ready[0]))], capture_output=True, text=True, check=True)
    file.unlink()
    found = json.loads(told.stdout.splitlines()[-1])
    asked, refused, broken = (found.pop(name) for name in ("asked", "refused", "broken"))
    if not found["completed"]:
        raise LoadError(f"nothing was answered within {seconds:.0f} s")
    if refused or broken:
        raise LoadError(f"{refused} refused and {broken} broken off beside {found['completed']} that were answered")
    if asked > len(ready):
        raise LoadError(f"{asked} requests were wanted and {len(ready)} were ready")
    return Load(connections, **found)
