"""How the demo ends, on paper."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from registrar.cli.progress import Screen as Live
from registrar.demo import show
from registrar.demo.chat import Block, Content, Message, Words
from registrar.demo.expect import Unexpected
from registrar.demo.registry import Version
from registrar.demo.screen import Screen
from registrar.local import Addresses

AT = Addresses("http://127.0.0.1:8000", "http://127.0.0.1:5000", "redis://127.0.0.1:6379/0", "sqlite:///ledger.db")
CHAMPION = Version(4, "Production", ("champion",), "", "run", {})


@pytest.fixture
def paper() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def screen(paper: io.StringIO) -> Screen:
    console = Console(file=paper)
    return Screen(console, Live(console))


def test_a_failure_names_the_step_what_was_expected_and_the_log(screen: Screen, paper: io.StringIO) -> None:
    screen.step(3, "The gate")
    error = Unexpected(expected="version 4 in [Staging]", seen=CHAMPION, look_at="worker")
    show.failed(screen, error, logs=Path("data/logs"))
    said = paper.getvalue()
    assert "failed in: step 3, The gate" in said
    assert "expected  version 4 in [Staging]\n" in said
    assert "saw       version 4 (Production, @champion)\n" in said
    assert "look at   data/logs/worker.log\n" in said


def test_every_line_of_a_message_says_where_it_arrived(screen: Screen, paper: io.StringIO) -> None:
    screen.message(
        Message("team-chat", Content(blocks=[Block(type="section", text=Words(text="rmse 5.3\nreplaces nothing"))]))
    )
    assert paper.getvalue().splitlines() == [
        f"    {'#team-chat':>13} ┃ {line}" for line in ("rmse 5.3", "replaces nothing")
    ]


def test_the_end_gives_commands_that_can_be_typed(screen: Screen, paper: io.StringIO) -> None:
    show.passed(screen, AT, CHAMPION, data=Path("my data"), stays=True)
    assert "registrar --data 'my data' versions nyc-taxi-regressor\n" in paper.getvalue()
    assert "http://127.0.0.1:5000/#/models/nyc-taxi-regressor" in paper.getvalue()


def test_when_nothing_stays_up_there_is_nothing_to_try(screen: Screen, paper: io.StringIO) -> None:
    show.passed(screen, AT, CHAMPION, data=Path(".registrar"), stays=False)
    assert "Passed" in paper.getvalue()
    assert "http" not in paper.getvalue()


@pytest.mark.parametrize("say", [Screen.saw, Screen.good, Screen.heading])
def test_brackets_in_what_was_seen_are_no_markup(
    screen: Screen, paper: io.StringIO, say: Callable[[Screen, str], None]
) -> None:
    say(screen, "rmse [red]5[/] of [x]")
    assert "rmse [red]5[/] of [x]" in paper.getvalue()
