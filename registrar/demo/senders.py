"""The demo's senders: a CI job that trains and posts events, and two people who press buttons in a chat."""

import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha1
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import requests

from registrar.demo.chat import Chat, Element, Message
from registrar.demo.expect import Unexpected, eventually
from registrar.http import signing
from registrar.http.event_client import Address, Receipt, asked_at, compose, post, status

EXPERIMENT = "nyc-taxi-experiment"
TRAINING_SECONDS = 180


@dataclass(frozen=True)
class Run:
    """A finished training run. rmse: on trips it was not trained on, in minutes."""

    run_id: str
    name: str
    rmse: float
    commit: str


def train(environment: Mapping[str, str], *, seed: int) -> list[Run]:
    """Both runs of the training script, the worse one first. Raises Unexpected."""
    arguments = ["--experiment", EXPERIMENT, "--seed", str(seed), "--commit", _commit(seed)]
    command = [sys.executable, "-m", "registrar.demo.train", *arguments]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=TRAINING_SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        raise Unexpected(expected=f"a training within {TRAINING_SECONDS} s", seen="none", look_at="mlflow") from None
    except subprocess.CalledProcessError as error:
        raise Unexpected(expected="a training", seen=str(error.stderr)[-2000:], look_at="mlflow") from None
    return [Run(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


def _commit(seed: int) -> str:
    """What a commit of the training code would be called."""
    code = files("registrar.demo").joinpath("train.py").read_bytes()
    return sha1(b"%d\n" % seed + code, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Pipeline:
    """The CI pipeline's side of the wire."""

    to: Address

    def finished(self, run: Run, *, model: str) -> Receipt:
        """Post that a run finished; posted again, it is the same delivery. Raises NotTaken, Unreachable."""
        data = {"model": model, "run_id": run.run_id, "commit": run.commit}
        receipt = post(self.to, compose("training_run.finished", data, at=None), id=f"finished-{run.run_id}")
        return asked_at(receipt, self.to.url.partition("/webhooks/")[0])


def result(receipt: Receipt) -> dict[str, Any]:
    """The event with its tasks, once all of them are done; all must have succeeded. Raises Unexpected."""
    done = f"event {receipt.id} done"
    event = eventually(lambda: status(receipt.status_url), lambda e: e["state"] != "unfinished", done)
    if event["state"] != "succeeded":
        wrong = [f"{task['name']}: {task['error']}" for task in event["tasks"] if task["error"]]
        raise Unexpected(expected="all its tasks succeeded", seen=f"{event['state']}: {wrong}", look_at="worker")
    return event


TEAM = "T0DEMO"
TIMEOUT = 10


@dataclass(frozen=True)
class Person:
    """A member of the chat, by the account that registrar.yml knows."""

    name: str
    account: str


ADA = Person("Ada", "U0ADA")
BOB = Person("Bob", "U0BOB")


@dataclass(frozen=True)
class Slack:
    """The chat's own server: it signs what it sends to Registrar, and gets the answers."""

    url: str
    secret: str
    chat: Chat

    def press(self, button: Element, *, by: Person) -> str:
        """Returns the id under which the answer to this click will come. Raises Unexpected."""
        reply = uuid.uuid4().hex
        body = urlencode({"payload": json.dumps(self._click(button, by, reply))}).encode()
        headers = signing.slack(self.secret, timestamp=datetime.now(UTC), body=body)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = requests.post(self.url, data=body, headers=headers, timeout=TIMEOUT)
        if not answer.ok:
            raise Unexpected(expected="the click taken", seen=f"{answer.status_code} {answer.text}", look_at="receiver")
        return reply

    def _click(self, button: Element, by: Person, reply: str) -> dict[str, object]:
        """https://docs.slack.dev/reference/interaction-payloads/block_actions-payload"""
        now = datetime.now(UTC).timestamp()
        action = {"type": "button", "block_id": "demo", "action_ts": f"{now:.6f}"}
        return {
            "type": "block_actions",
            "user": {"id": by.account, "username": by.name.lower(), "name": by.name.lower(), "team_id": TEAM},
            "team": {"id": TEAM, "domain": "demo"},
            "api_app_id": "A0DEMO",
            "trigger_id": f"{now:.6f}.{uuid.uuid4().hex}",
            "response_url": self.chat.reply_url(reply),
            "actions": [action | {"action_id": button.action_id, "value": button.value}],
        }

    def answer(self, reply: str, *, seconds: float) -> Message:
        """Return the answer to a click. Raises Unexpected."""
        answer = self.chat.wait(lambda message: message.place == f"reply/{reply}", seconds=seconds)
        if answer is None:
            raise Unexpected(expected=f"an answer to the click within {seconds:g} s", seen="none", look_at="worker")
        return answer
