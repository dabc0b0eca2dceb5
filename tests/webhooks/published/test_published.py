"""No published body, rightly signed, is a 4xx or 5xx: what is nobody's business is ignored by its name."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from tests.sources.captured import FIXTURES, read
from tests.webhooks.conftest import Receiver
from tests.webhooks.published import Published, post
from tests.webhooks.published.builds import builds
from tests.webhooks.published.github import github
from tests.webhooks.published.gitlab import gitlab
from tests.webhooks.published.others import others
from webhooks.sources.github.payloads import SHAPES

# What is made something of, or answered in its own way.
HEARD = {*SHAPES, "ping", "pipeline", "build", "deployment"}
# What stands where it should not, in somebody's payload or after an upgrade of the sender.
ODD = [None, "", " ", 0, -1, True, 1.5, 2**64, [], {}, [None], ["x"], {"id": None}, "x" * 3000, "a\r\nb\0\u202e\ud83d"]


def refused(receiver: Receiver, bodies: Iterator[Published]) -> tuple[int, list[str]]:
    """How many were posted, and what was said to those that are no 2xx."""
    count, wrong = 0, []
    for said in bodies:
        count += 1
        answer = post(receiver, said)
        named = said.name.split()[0] in HEARD or "ignored" in (answer.json or {})
        if answer.status_code >= 400 or not named:
            wrong.append(f"{said.source}: {said.name}: {answer.status_code} {answer.get_data(as_text=True)[:200]}")
    return count, wrong


def test_nothing_that_github_publishes_is_refused(receiver: Receiver):
    count, wrong = refused(receiver, github())
    assert not wrong, len(wrong)
    assert count > 1500


def test_nothing_that_gitlab_publishes_is_refused(receiver: Receiver):
    count, wrong = refused(receiver, gitlab())
    assert not wrong, len(wrong)
    assert count > 400
    assert {status for _, status, _ in receiver.rejections()} <= {422}


def test_nothing_else_that_hosts_publish_is_refused(receiver: Receiver):
    count, wrong = refused(receiver, others())
    assert not wrong, len(wrong)
    assert count > 150
    assert receiver.events() == []


def test_no_shape_of_a_build_that_ended_is_refused(receiver: Receiver):
    wrong = []
    for said in builds():
        answer = post(receiver, said)
        if answer.status_code >= 400:
            wrong.append(f"{said.source}: {said.name}: {answer.get_data(as_text=True)[:200]} {said.body!r}")
    assert not wrong


def places(content: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Of each value in a payload, but for the whole."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from places(value, *path, key)


def varied(chance: random.Random, content: Any) -> Any:
    """With one to three values that are odd, or not there, or not known to anybody."""
    content = copy.deepcopy(content)
    for *path, key in chance.choices(list(places(content)), k=chance.randint(1, 3)):
        try:
            inside = content
            for name in path:
                inside = inside[name]
            if chance.random() < 0.2:
                del inside[key]
            else:
                inside[key] = copy.deepcopy(chance.choice(ODD))
        except (LookupError, TypeError):  # what was around it is odd already
            continue
    return {**content, "brought_by_an_upgrade": chance.choice(ODD)}


def variations(path: Path, *, seed: int, times: int) -> Iterator[Published]:
    """Of a captured report: whatever a field says, who sends it can't be told to mend it."""
    chance = random.Random(f"{path.stem} {seed}")  # noqa: S311 (a seed makes it repeatable)
    request = read(path).request
    form = request.content_type != "application/json"
    body = parse_qs(request.body.decode())["payload"][0] if form else request.body
    for nth in range(times):
        said = json.dumps(varied(chance, json.loads(body)))
        made = urlencode({"payload": said}) if form else said
        headers = {name: value for name, value in request.headers.items() if "signature" not in name}
        yield Published(path.parent.name, f"{path.stem.partition('__')[0]} {nth} {said}", made.encode(), headers)


@pytest.mark.parametrize("kind", ["github", "gitlab", "mlflow"])
def test_no_field_of_a_report_makes_it_a_4xx(receiver: Receiver, kind: str):
    wrong = []
    for said in (
        one for path in sorted((FIXTURES / kind).glob("*.http")) for one in variations(path, seed=1, times=20)
    ):
        answer = post(receiver, said)
        if answer.status_code >= 400 and said.name.split()[0] != "repository_dispatch":
            wrong.append(f"{answer.status_code} {answer.get_data(as_text=True)[:300]} {said.name}")
    assert not wrong
