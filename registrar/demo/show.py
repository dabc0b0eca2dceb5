"""The demo from its first process to its last: a chat, a whole installation, the pass, and what to try next."""

import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from registrar.config import settings
from registrar.demo import senders
from registrar.demo.chat import Chat
from registrar.demo.config import Place, Secrets
from registrar.demo.expect import Unexpected
from registrar.demo.registry import Registry, Version
from registrar.demo.scenario import MODEL, Scene, play
from registrar.demo.screen import Screen
from registrar.errors import UserError
from registrar.http.event_client import Address
from registrar.local import Addresses, Stack
from registrar.local.installation import Installation
from registrar.local.services import Service
from registrar.local.services import plan as all_parts
from registrar.local.supervisor import Interrupted


def passed(screen: Screen, at: Addresses, promoted: Version, *, data: Path, stays: bool) -> None:
    screen.heading(f"Passed: {MODEL} {promoted} by a signed event and one approval")
    if not stays:
        return
    screen.facts(
        {
            "MLflow": f"{at.mlflow_url}/#/models/{MODEL}",
            "receiver": f"{at.receiver_url}/webhooks/ci and /webhooks/slack",
            "policy": str(data / "demo" / "registrar.yml"),
            "logs": str(data / "logs"),
        }
    )
    screen.heading("Try, in another terminal")
    for command in _to_try(promoted):
        screen.saw(f"{_program()} --data {shlex.quote(str(data))} {command}")
    screen.heading("All parts stay up, and are restarted if they die. Ctrl-C stops them")


def failed(screen: Screen, error: Exception, *, logs: Path) -> None:
    if isinstance(error, Unexpected):
        log = logs / f"{error.look_at}.log"
        screen.failure([f"expected  {error.expected}", f"saw       {error.seen}", f"look at   {log}"])
    else:
        screen.failure([str(error), f"look at   {logs}"])


def _program() -> str:
    """What starts this very command line from a terminal."""
    started = sys.argv[0]
    if shutil.which("registrar") or Path(started).name != "registrar":
        return "registrar"
    return shlex.quote(started)


def _to_try(promoted: Version) -> list[str]:
    one = f"model={MODEL} version={promoted.number}"
    return [
        f"versions {MODEL}",
        "events",
        f"send model_version.describe {one} tags.team=taxi --wait",
        f"send model_version.archive {one} reason='it is only a demo' --wait",
        f"send model_version.transition model={MODEL} version=1 stage=Staging --wait   # its gate says no",
    ]


PASSED, FAILED, INTERRUPTED = 0, 1, 130
OPERATOR = "ada"  # as whom the demo's pages are used on this machine
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Show:
    """leave: end after the pass. kill_worker: `kill -9` it in the middle of the pass, which must not matter."""

    data: Path
    screen: Screen
    leave: bool
    kill_worker: bool
    playing: bool = field(default=False, init=False)

    def run(self) -> int:
        """The exit code. Raises registrar.errors.Problem where the parts can't be started."""
        place = Place.inside(self.data)
        secrets = place.secrets()
        with Chat(port=place.port, token=secrets.chat, deploy_secret=secrets.deploy, show=self.screen.message) as chat:
            self.screen.heading("Starting all parts on this machine")
            stack = self._stack(place, chat)
            try:
                with self._stoppable(stack), stack:
                    stack.watch_in_background()
                    return self._play(stack, self._scene(stack, chat, secrets))
            except Interrupted:
                return INTERRUPTED

    def _stack(self, place: Place, chat: Chat) -> Stack:
        def plan(site: Installation) -> list[Service]:
            """Called when the folder is locked: a demo that is running on it keeps its addresses."""
            place.write_config(chat_port=chat.port, team_chat_url=chat.team_chat_url, deploy_url=chat.deploy_url)
            return all_parts(site)

        live = self.screen.live
        return Stack(self.data, place.config, say=self.screen.saw, progress=live.progress, operator=OPERATOR, plan=plan)

    def _play(self, stack: Stack, scene: Scene) -> int:
        try:
            self.playing = True
            promoted = play(scene)
        except KeyboardInterrupt:
            return INTERRUPTED
        except (Unexpected, UserError, requests.RequestException) as error:
            failed(self.screen, error, logs=stack.folder.path / "logs")
            return FAILED
        finally:
            self.playing = False
        passed(self.screen, stack.addresses, promoted, data=self.data, stays=not self.leave)
        if not self.leave:
            self.screen.live.progress("running; Ctrl-C stops all")
            stack.wait()
        self.screen.heading("Stopping all parts")
        return PASSED

    def _scene(self, stack: Stack, chat: Chat, secrets: Secrets) -> Scene:
        receiver = stack.addresses.receiver_url
        return Scene(
            data=self.data,
            environment=_environment(stack),
            screen=self.screen,
            registry=Registry(stack.addresses.mlflow_url, MODEL),
            pipeline=senders.Pipeline(Address(f"{receiver}/webhooks/ci", secrets.ci)),
            slack=senders.Slack(f"{receiver}/webhooks/slack", secrets.slack, chat),
            chat=chat,
            interrupt=lambda: self._interrupt(stack),
        )

    def _interrupt(self, stack: Stack) -> None:
        if not self.kill_worker:
            return
        self.screen.saw("kill -9 of the worker, with the work in its hands")
        worker = psutil.Process(stack.pid("worker"))
        for process in [worker, *worker.children(recursive=True)]:
            os.kill(process.pid, signal.SIGKILL)

    @contextmanager
    def _stoppable(self, stack: Stack) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the pass where it is, and then all parts in order."""

        def stop(*_: object) -> None:
            stack.ask_to_stop()
            if self.playing:
                self.playing = False
                raise KeyboardInterrupt

        previous = {number: signal.signal(number, stop) for number in _STOPPING}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _environment(stack: Stack) -> Mapping[str, str]:
    """For the training: it finds the tracking server, and nothing that was meant for another one."""
    outer = {name: value for name, value in settings.process_environment().items() if not name.startswith("MLFLOW_")}
    return outer | stack.environment | {"MLFLOW_DISABLE_TELEMETRY": "true"}
