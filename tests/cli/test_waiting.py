"""A command that waits says what it waits for, and ends when its --timeout is over."""

import re
import socket
import time
from collections.abc import Iterator

import pytest
import requests

from registrar.cli import command, formatting, waiting
from registrar.http.event_client import Receipt, Unreachable
from tests.cli.setting import House, living
from worker.registry.protocol import RetryableError

DOWN = RetryableError("reading run r1: the registry does not answer (ConnectionError)")


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url) as house:
        yield house


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Where no terminal is, it is told from the beginning."""
    monkeypatch.setattr(waiting, "_QUICK", 0.0)


def trained(*more: str) -> tuple[str, ...]:
    return ("send", "training_run.finished", "model=taxi", "run_id=r1", "--source", "ci", "--wait", *more)


def test_it_says_on_stderr_which_task_of_which_event_is_waited_for(house, at_once):
    sent = house.run(*trained("--timeout", "0.3"))
    event = re.search(r"evt_\w+", sent.stdout)[0]
    said = f"waiting, at most 0.3 s: training_run.finished {event}: worker.register is queued\n"
    assert sent.stderr.startswith(said)
    assert (sent.exit_code, "waiting" in sent.stdout) == (1, False)


def test_a_second_try_says_when_and_what_went_wrong(house):
    house.harness.registry.fail["run"] = DOWN
    event = house.harness.accept("training_run.finished", model="taxi", run_id="r1")
    [task_message] = house.harness.due()
    house.harness.run(task_message)
    said = waiting.waited_for(house.get(f"/v1/events/{event}"))
    again = r"worker.register is queued again at \d\d:\d\d:\d\d UTC, after attempt 1: reading run r1: the registry"
    assert re.search(again, said)


def test_what_is_not_done_in_time_is_said_with_what_it_waits_for(house):
    sent = house.run(*trained("--timeout", "0.2"))
    assert re.search(r"not done after 0\.2 s: training_run.finished evt_\w+: worker.register is queued", sent.stderr)
    assert sent.stdout.endswith("unfinished\n")


def test_who_stops_waiting_is_told_that_the_event_goes_on(house, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "follow", interrupted)
    sent = house.run(*trained())
    said = r"registrar: no longer waiting; (evt_\w+) was accepted and goes on: registrar events show \1\n"
    assert (sent.exit_code, bool(re.fullmatch(said, sent.stderr))) == (1, True), sent.output


def test_following_events_ends_by_ctrl_c_without_a_complaint(house, monkeypatch):
    house.harness.accept("training_run.finished", model="taxi", run_id="r1")

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("registrar.cli.events.time.sleep", interrupted)
    tail = house.run("events", "tail")
    assert (tail.exit_code, tail.stderr, "training_run.finished" in tail.stdout) == (0, "", True)


def test_what_is_done_quickly_says_nothing_beside_it(house):
    house.harness.registry.trained("r1", rmse=5.0)
    with house.working():
        sent = house.run(*trained())
    assert (sent.exit_code, sent.stderr) == (0, "")


def test_json_stays_json(house, at_once):
    sent = house.run(*trained("--timeout", "0.2", "--json"))
    assert (sent.stdout[0], "waiting" in sent.stdout) == ("{", False)
    assert "waiting" in sent.stderr


def test_on_a_terminal_it_stands_under_what_is_printed(house, monkeypatch):
    told = []
    monkeypatch.setattr(formatting, "_is_terminal", lambda: True)
    monkeypatch.setattr("rich.console.Console", lambda **_: Terminal(told))
    house.run(*trained("--timeout", "0.2"))
    assert told[0] == "waiting at most 0.2 s"
    assert re.search(r"waiting, at most 0\.2 s: training_run.finished evt_\w+: worker.register is queued", told[1])


class Terminal:
    """Of rich: what is shown under the lines."""

    is_terminal = True

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def status(self, text: str) -> "Terminal":
        self._told.append(text)
        return self

    def update(self, text: str) -> None:
        self._told.append(text)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_the_time_is_for_all_that_is_waited_for(house):
    events = [house.harness.accept("training_run.finished", model="taxi", run_id=f"r{number}") for number in range(4)]
    receipts = [Receipt(id_, "training_run.finished", f"{house.url}/v1/events/{id_}", repeated=False) for id_ in events]
    began = time.monotonic()
    with waiting.waiting(1.0, None) as wait:
        ends = [wait.followed(receipt, None)[-1]["state"] for receipt in receipts]
    assert ends == ["unfinished"] * 4
    assert time.monotonic() - began < 2.5


def test_an_address_that_never_answers_does_not_hold_it_up(monkeypatch):
    asked = []

    def never(url: str, *, timeout: float, **_: object) -> None:
        asked.append(timeout)
        time.sleep(min(timeout, 1.0))
        raise requests.ConnectTimeout("no answer")

    monkeypatch.setattr("registrar.http.event_client.requests.get", never)
    began = time.monotonic()
    with waiting.waiting(0.5, None) as wait, pytest.raises(Unreachable):
        wait.followed(Receipt("evt_1", "x", "http://registrar.invalid/v1/events/evt_1", repeated=False), None)
    assert max(asked) <= 1.0
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("timeout", ["-1", "nan", "inf", "soon"])
def test_a_time_that_never_ends_or_is_none_is_refused(house, timeout):
    sent = house.run(*trained("--timeout", timeout))
    assert (sent.exit_code, "is no number of seconds" in sent.stderr) == (2, True)


EVENT = ("training_run.finished", "model=taxi", "run_id=r1")


@pytest.mark.parametrize(
    "words",
    [
        ("prune", "taxi", "--wait"),
        ("prune", "taxi", "--no-wait"),
        ("reconcile", "taxi", "--wait"),
        ("send", *EVENT, "--source", "ci"),
        ("--url", "URL", "send", *EVENT),
        ("--url", "URL", "prune", "taxi"),
        ("--url", "URL", "promotions", "approve", "taxi", "3"),
    ],
    ids=" ".join,
)
def test_a_receiver_that_takes_connections_and_never_answers_is_given_up(house, monkeypatch, words):
    monkeypatch.setattr(command, "SHORTEST", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        monkeypatch.setenv("REGISTRAR_LOCAL_URL", url)
        began = time.monotonic()
        done = house.run(*(url if word == "URL" else word for word in words), "--timeout", "0.5")
    assert time.monotonic() - began < 5
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "does not answer in time; is it up, and the address right?" in done.stderr
    assert ("Whether it took the command is not known" in done.stderr) is (not {"--source", "approve"} & {*words})
