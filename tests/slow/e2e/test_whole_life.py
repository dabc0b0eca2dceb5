"""A version's whole life by HTTP: soaked, approved by two, deployed in vain, rolled back, and all of it told."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient
from standardwebhooks import Webhook

from tests.e2e.installation import Installation
from tests.e2e.sender import PATIENCE, Sender
from tests.mlflow_server import train


@pytest.fixture
def life(stack: Installation) -> "Life":
    return Life(stack, f"life-{uuid.uuid4().hex[:8]}")


class Life:
    """One model, and those who do something about it."""

    def __init__(self, stack: Installation, model: str) -> None:
        self.stack, self.model = stack, model
        self.sender, self.client = Sender(stack), MlflowClient(stack.settings.mlflow_uri)

    def trained(self) -> int:
        """The number of the version that a run became."""
        ended = self.sender.ended(
            self.sender.post("training_run.finished", model=self.model, run_id=train(self.client, rmse=5.0))
        )
        assert ended["state"] == "succeeded", ended
        return max(int(v.version) for v in self.client.search_model_versions(f"name = '{self.model}'"))

    def says(self, user: str, text: str) -> dict[str, Any]:
        """What became of a slash command, to the last of its tasks; Slack is answered at once and not told its id."""
        answer = self.sender.slash(text, user=user)
        assert answer.status_code == 200, answer.text
        type_ = f"promotion.{text.split(maxsplit=1)[0]}"
        newest = self.until(lambda: self.event(type_, user), f"the event of {text!r}")
        return self.sender.until_done(f"{self.stack.settings.public_url}/v1/events/{newest['id']}")

    def event(self, type_: str, user: str) -> dict[str, Any] | None:
        who = {"UADA": "ada", "UBOB": "bob", "UCLEO": "cleo"}[user]
        shown = json.loads(self.stack.registrar("events", "--json", "--limit", "20").stdout)
        mine = [e for e in shown if (e["type"], e["actor"], e["model"]) == (type_, who, self.model)]
        return mine[0] if mine else None

    def until(self, found: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + PATIENCE
        while not (value := found()):
            assert time.monotonic() < end, f"{what} did not come within {PATIENCE:g} s"
            time.sleep(0.3)
        return value

    def history(self) -> list[dict[str, Any]]:
        return json.loads(self.stack.registrar("history", self.model, "--json").stdout)

    def asked(self, version: int) -> bool:
        """Whether approvers were asked: by the worker's log, where the channel `log` writes."""
        said = f"promotion.awaiting_approval: {self.model} version {version} waits for approval to go to Production"
        return said in self.stack.log("worker")

    def promoted(self, version: int) -> None:
        """Asked for by Ada, approved by Bob and Cleo; her own word does not count."""
        self.says("UADA", f"request {self.model} {version}")
        self.until(lambda: self.asked(version), "the request for approval, after its soak")
        [refused, *_] = self.says("UADA", f"approve {self.model} {version}")["tasks"]
        assert "Ada asked for" in refused["outcome"]["summary"]
        assert "so somebody else must approve it" in refused["outcome"]["summary"]
        assert "still needed: 1 more of owners" in str(self.says("UBOB", f"approve {self.model} {version}"))
        assert self.says("UCLEO", f"approve {self.model} {version}")["state"] == "succeeded"
        self.until(lambda: self.champion() == version, f"version {version} as @champion")

    def champion(self) -> int | None:
        found = self.client.get_registered_model(self.model).aliases.get("champion")
        return int(found) if found else None

    def deploy_triggers(self) -> list[int]:
        """The versions that the deploy system was told to deploy, each message really signed."""
        assert self.stack.serving is not None
        told = [
            Webhook(self.stack.serving_secret).verify(body, {name.lower(): value for name, value in headers.items()})
            for headers, body in list(self.stack.serving.got)
        ]
        return [one["data"]["version"] for one in told if one["data"]["model"] == self.model]

    def reports(self, what: str, version: int) -> dict[str, Any]:
        return self.sender.ended(
            self.sender.post(f"deployment.{what}", model=self.model, version=version, environment="prod")
        )


def test_from_training_to_production_and_back_again(life: Life):
    first = life.trained()
    life.promoted(first)
    life.until(lambda: life.deploy_triggers() == [1], "the trigger to deploy version 1")
    assert "Production is live" in str(life.reports("succeeded", first))

    second = life.trained()
    life.promoted(second)
    life.until(lambda: life.deploy_triggers() == [1, 2], "the trigger to deploy version 2")
    assert dict(life.client.get_registered_model(life.model).aliases) == {"champion": "2", "previous": "1"}
    assert life.client.get_model_version(life.model, "1").current_stage == "Archived"

    back = life.reports("failed", second)
    assert back["state"] == "succeeded", back
    assert f"{life.model} was rolled back in Production from version 2 to version 1" in str(back)
    assert life.champion() == first
    bad = life.client.get_model_version(life.model, "2")
    assert bad.current_stage == "Archived"
    assert "the deployment of" in bad.tags["registrar.quarantined"]
    life.until(lambda: life.deploy_triggers() == [1, 2, 1], "the trigger to deploy version 1 again")

    held_back = life.says("UADA", f"request {life.model} 2")
    assert "it is quarantined" in str(held_back)
    held = [(row["key"], row["version"], row["until"] is None) for row in life.history() if row["key"] == "Production"]
    assert held == [("Production", 1, True), ("Production", 2, False), ("Production", 1, False)]
    by = {row["event_type"] for row in life.history() if row["key"] == "champion"}
    assert by == {"promotion.approve", "deployment.failed"}
