"""A second person's registrar.yml, and what they got wrong in it: each mistake, and the sentence that it gets.

mistakes.txt: the file as it should be; then for each mistake "=== its name", the lines that are other (- and +), and
behind > what `registrar check-config` says of it, the exit code first.

    python -m tests.policy.mistakes      # writes what is said now into the file; read what has changed
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from registrar.cli import main

FILE = Path(__file__).with_name("mistakes.txt")
NAME = "registrar.yml"
SECRETS = {
    "CI_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq=",
    "GITHUB_SECRET": "g" * 40,
    "SLACK_SECRET": "5" * 32,
    "TEAM_URL": "https://hooks.slack.com/services/T0/B0/x",
    "BARE_URL": "hooks.slack.com/services/T0/B0/x",
    "SHORT": "hunter2",
    "OIDC": "o" * 40,
}


@dataclass(frozen=True)
class Mistake:
    """other: (lines that go, lines that come) in the order of the file. said: as it stands in mistakes.txt."""

    name: str
    other: tuple[tuple[str, str], ...]
    said: str

    def text(self, right: str) -> str:
        wrong, at = right, 0
        for old, new in self.other:
            at = wrong.index(old, at)
            wrong = wrong[:at] + new + wrong[at + len(old) :]
            at += len(new)
        return wrong


def read() -> tuple[str, list[Mistake]]:
    """The right file, and every mistake."""
    right, *cases = FILE.read_text(encoding="utf-8").split("\n=== ")
    return right.rstrip("\n") + "\n", [_mistake(case) for case in cases]


def _mistake(case: str) -> Mistake:
    name, *lines = case.rstrip("\n").split("\n")
    changed = [line for line in lines if line[0] in "-+"]
    said = "".join(f"{line[2:]}\n" for line in lines if line[0] == ">")
    return Mistake(name, tuple(_changes(changed)), said)


def _changes(lines: list[str]) -> Iterator[tuple[str, str]]:
    while lines:
        old = [line for line in lines[: _end(lines, "-")] if line]
        lines = lines[len(old) :]
        new = lines[: _end(lines, "+")]
        lines = lines[len(new) :]
        yield "".join(f"{line[1:]}\n" for line in old), "".join(f"{line[1:]}\n" for line in new)


def _end(lines: list[str], sign: str) -> int:
    return next((nth for nth, line in enumerate(lines) if line[0] != sign), len(lines))


def said(text: str, *, environ: Mapping[str, str | None]) -> str:
    """The exit code, and each line on stderr."""
    Path(NAME).write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["check-config", NAME], env=environ)
    return f"exit {result.exit_code}\n{result.stderr}"


def _written_anew() -> str:
    right, mistakes = read()
    pieces = [right]
    for mistake in mistakes:
        told = said(mistake.text(right), environ=SECRETS).splitlines()
        changes = [
            f"-{line}" if nth == 0 else f"+{line}"
            for pair in mistake.other
            for nth in (0, 1)
            for line in pair[nth].splitlines()
        ]
        pieces.append("\n".join([f"=== {mistake.name}", *changes, *(f"> {line}" for line in told)]))
    return "\n".join(pieces) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        os.environ.pop("REGISTRAR_CONFIG", None)
        FILE.write_text(_written_anew(), encoding="utf-8")
