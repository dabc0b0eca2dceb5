"""An installation in which every kind of secret is in use, and all that it says, writes and answers is kept."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import requests
from sqlalchemy import select

from registrar.broker.redis_server import redis_server
from registrar.config.key_generation import new_key, new_token, new_webhook_secret
from registrar.ledger import Ledger
from registrar.ledger.tables import metadata
from tests.mlflow_server import free_port

ROOT = Path(__file__).parents[3]
PATIENCE = 90.0
PROGRAMS = {
    "receiver": ["webhooks.serve", "--port", "{port}", "--access-log"],
    "worker": ["worker", "run"],
    "beat": ["worker", "beat"],
}


def made_up() -> dict[str, str]:
    """One of each kind, by what it is for; each is found nowhere else."""
    mark = os.urandom(6).hex()
    return {
        "REGISTRAR_SECRET_KEY": new_key(),
        "database password": f"dbpassword{mark}",
        "broker password": f"brokerpassword{mark}",
        "MLflow password": f"mlflowpassword{mark}",
        "CI": new_webhook_secret(),
        "CI_OLD": new_webhook_secret(),
        "SLACK": f"slacksigning{mark}",
        "BEARER": f"bearer<{mark}&token>",
        "BASIC": f"sender:basicpassword{mark}",
        "TOKEN": f"headertoken{mark}",
        "MATTERMOST": f"mattermosttoken{mark}",
        "HOOK_PATH": f"T0/B0/hookpath{mark}",
        "REFUSED_PATH": f"T0/B0/refusedpath{mark}",
        "SIG": f"teams sig={mark}",
        "BOT": f"xoxb-{mark}-bot",
        "GITHUB": f"ghp_{mark}github",
        "GITLAB": f"glptt-{mark}gitlab",
        "PAGER": f"{mark}routingkey{mark}",
        "SMTP": f"smtp/password{mark}",
        "APPRISE": f"apprisepassword{mark}",
        "DEPLOY": new_webhook_secret(),
        "API token": new_token(),
    }


@dataclass
class Installation:
    """folder/seen is what may hold no secret; the secrets themselves are given by environment."""

    folder: Path
    port: int
    redis_port: int
    environ: Mapping[str, str]
    secrets: Mapping[str, str]
    answers: dict[str, bytes] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def seen(self) -> Path:
        return self.folder / "seen"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str) -> None:
        words = [word.format(port=self.port) for word in PROGRAMS[name]]
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=dict(self.environ), stdout=(log := self.log(name)), stderr=log
        )

    def log(self, name: str) -> IO[bytes]:
        return (self.seen / f"{name}.log").open("ab")

    def fails(self, name: str, what: str, **changed: str) -> None:
        """A process that can't start as it is told; what it says is kept."""
        words = {**PROGRAMS, "migrate": ["registrar", "migrate"]}[name]
        words = [word.format(port=free_port()) for word in words]
        self.running[f"{name} with {what}"] = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**self.environ, **changed},
            stdout=(log := self.log(f"{name} with {what}")),
            stderr=log,
        )

    def failed(self) -> None:
        """All that can't start have said so. Those that go on trying are ended."""
        for name in [name for name in self.running if " with " in name]:
            self.wait_for(f"the end of the {name}", partial(self._gave_up, name))
            self.end(name, signal.SIGKILL)
            assert (self.seen / f"{name}.log").stat().st_size, f"the {name} said nothing"

    def _gave_up(self, name: str) -> bool:
        return self.running[name].poll() is not None or b"rror" in (self.seen / f"{name}.log").read_bytes()

    def says(self, *arguments: str, **changed: str) -> str:
        """What a command prints, and it is kept."""
        done = subprocess.run(
            [sys.executable, "-m", "registrar", "--data", str(self.folder / "data"), *arguments],
            cwd=ROOT,
            env={**self.environ, **changed},
            capture_output=True,
            timeout=120,
            check=False,
        )
        self.answers[f"registrar {' '.join(arguments)} {sorted(changed)} {len(self.answers)}"] = (
            done.stdout + done.stderr
        )
        return (done.stdout + done.stderr).decode()

    def send(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> int:
        """Any request; its answer is kept."""
        answer = requests.request(method, f"{self.url}{path}", data=body, headers=headers, timeout=30)
        kept = f"{answer.status_code} {dict(answer.headers)}\n".encode() + answer.content
        self.answers[f"{method} {path} {len(self.answers)}"] = kept
        return answer.status_code

    def raw(self, sent: bytes) -> None:
        """What no client would send; the answer is kept."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            self.answers[f"raw {len(self.answers)}"] = b"".join(iter(lambda: connection.recv(65536), b""))

    def wait_for(self, what: str, is_so: Callable[[], object]) -> None:
        until = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < until, f"{what} did not come within {PATIENCE:g} s"
            time.sleep(0.2)

    def answers_at(self, path: str) -> bool:
        try:
            return requests.get(f"{self.url}{path}", timeout=5).ok
        except requests.RequestException:
            return False

    def rows(self) -> dict[str, bytes]:
        """Every row of the ledger, as text and as JSON."""
        opened = Ledger(self.environ["REGISTRAR_LEDGER_URL"])
        with opened.read() as connection:
            tables = {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in metadata.sorted_tables
            }
        opened.close()
        return {
            f"the ledger's table {name}": json.dumps(rows, default=repr).encode() + repr(rows).encode()
            for name, rows in tables.items()
        }

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self.running.pop(name)
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def installed(
    folder: Path, config: str, secrets: Mapping[str, str], environ: Mapping[str, str]
) -> Iterator[Installation]:
    """Redis with a password, and what else is started in it, ended at the end of the block."""
    (folder / "seen" / "redis").mkdir(parents=True)
    (folder / "registrar.yml").write_text(config)
    port = free_port()
    (folder / "redis.conf").write_text(f"requirepass {secrets['broker password']}\n")
    own = {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "REGISTRAR_CONFIG": str(folder / "registrar.yml"),
        "REGISTRAR_BROKER_URL": f"redis://:{secrets['broker password']}@127.0.0.1:{port}/0",
        "REGISTRAR_SECRET_KEY": secrets["REGISTRAR_SECRET_KEY"],
        "REGISTRAR_ARTIFACTS": str(folder / "seen" / "artifacts"),
    }
    made = Installation(folder, free_port(), port, {**own, **environ}, secrets)
    made.environ = {**made.environ, "REGISTRAR_PUBLIC_URL": made.url}
    where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder / "seen" / "redis")]
    command = [redis_server(), str(folder / "redis.conf"), *where, "--appendonly", "yes", "--save", ""]
    made.running["redis"] = subprocess.Popen(command, stdout=(log := made.log("redis")), stderr=log)
    try:
        yield made
    finally:
        for name in reversed(list(made.running)):
            made.end(name)
