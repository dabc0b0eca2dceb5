"""Change the code in thousands of ways, one at a time, and see whether a test fails: `make mutants`.

mutmut makes the changes (mutants) and runs the tests that call the changed function, in .mutants/<part>. It keeps its
results there: a later run repeats the survivors, and what has changed since. tests/mutants.toml has the parts, their
tests, and the survivors that no test can notice. The exit status is 1 where another one survived.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.mlflow_server import serve

ROOT = Path(__file__).parent.parent
LIST = ROOT / "tests" / "mutants.toml"
PACKAGES = ("registrar", "webhooks", "worker")
MUTMUT = (sys.executable, "-c", "import sys; from mutmut.__main__ import cli; sys.exit(cli())")
# Results of mutmut that are no test's failure: all tests passed, none was found (5, 33), or the run was broken off.
PASSED, UNFINISHED = {0, 5, 33}, {None, 2}
BY_TYPES = 37


class Mutant(NamedTuple):
    """where: module and function. change: the line as it was, with [old -> new]. result: mutmut's exit code."""

    where: str
    change: str
    result: int | None

    @property
    def survived(self) -> bool:
        return self.result in PASSED

    @property
    def wording(self) -> bool:
        """Whether it only changes the letters of a text of three words or more: tests pin facts, not sentences."""
        if not (found := re.fullmatch(r"(.*?)\[([^][]+) -> ([^][]+)\](.*)", self.change)):
            return False
        before, old, new, after = found.groups()
        inside = before.rpartition('"')[2] + old + after.partition('"')[0]
        same = old.lower() == new.replace("XX", "").lower() and '"' in before and '"' in after
        return same and len(re.findall(r"[a-z]{2,}", inside, re.IGNORECASE)) > 2


def main(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("part", nargs="?")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--only", help="mutants to run, as a pattern of mutmut's names")
    parser.add_argument("--report", action="store_true", help="only compare the results of the last run")
    options = parser.parse_args(arguments)
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))
    parts = {options.part: listed["parts"][options.part]} if options.part else listed["parts"]
    known = {text: group["why"] for group in listed.get("equal", []) for text in group["mutants"]}
    status = 0
    for name, part in parts.items():
        folder = ROOT / ".mutants" / name
        if not options.report:
            prepare(folder, part)
            command = [*MUTMUT, "run", "--max-children", options.jobs, *([options.only] if options.only else [])]
            # One MLflow for all mutants: to start it for each would take longer than the tests.
            with tempfile.TemporaryDirectory() as servers, serve(Path(servers)) as mlflow:
                given = {**os.environ, "MLFLOW_OF_TESTS": mlflow}
                ended = subprocess.run(command, cwd=folder, env=given, check=False).returncode
            if ended:
                return ended
        status |= report(name, list(results(folder)), known)
    return status


def prepare(folder: Path, part: Mapping[str, Any]) -> None:
    """Make mutmut's folder: links to the files that git has, its settings, no survivor of the last run."""
    folder.mkdir(parents=True, exist_ok=True)
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = sorted({file.split("/")[0] for file in files.splitlines()})
    for top in tops:
        (folder / top).unlink(missing_ok=True)
        (folder / top).symlink_to(os.path.relpath(ROOT / top, folder))
    shutil.rmtree(folder / "mutants" / "tests", ignore_errors=True)
    settings: dict[str, Sequence[str]] = {
        "source_paths": PACKAGES,
        "only_mutate": part["code"],
        "also_copy": [top for top in tops if top not in PACKAGES],
        "pytest_add_cli_args_test_selection": part["tests"],
        # No servers: a test that needs one is not quick enough to be repeated for each mutant.
        "pytest_add_cli_args": ["-k", "not postgresql", "-p", "no:cacheprovider", *part.get("arguments", [])],
        # mutmut's own code has needless `type: ignore`s.
        "type_check_command": [sys.executable, "-m", "mypy", "--output", "json", "--no-warn-unused-ignores"],
    }
    lines = [f"{key} =\n" + "".join(f"    {value}\n" for value in values) for key, values in settings.items()]
    # A mutant that takes too long counts as noticed: a busy machine must not make any of them slow enough for that.
    numbers = "on_dependency_change = ignore\ntimeout_multiplier = 5\ntimeout_constant = 30\n"
    (folder / "setup.cfg").write_text("[mutmut]\n" + numbers + "".join(lines), encoding="utf-8")
    for file in (folder / "mutants").rglob("*.meta"):
        meta = json.loads(file.read_text(encoding="utf-8"))
        codes = meta["exit_code_by_key"]
        meta["exit_code_by_key"] = {key: None if code in PASSED else code for key, code in codes.items()}
        file.write_text(json.dumps(meta), encoding="utf-8")
    if (stats := folder / "mutants" / "mutmut-stats.json").exists():
        # Without it mutmut does not start anew where a test file was added: that is no reason to doubt the others.
        known = json.loads(stats.read_text(encoding="utf-8"))
        known["config_fingerprint"] = {}
        stats.write_text(json.dumps(known), encoding="utf-8")


def results(folder: Path) -> Iterator[Mutant]:
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: PLC0415 (not in the main environment)

    for file in sorted((folder / "mutants").rglob("*.py.meta")):
        source = file.with_suffix("").relative_to(folder / "mutants")
        if not (ROOT / source).exists():
            continue
        for key, code in json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            where = re.sub(r"\.xǁ?_?", ".", key.partition("__mutmut_")[0]).replace("ǁ", ".")
            with contextlib.chdir(folder):
                diff = get_diff_for_mutant(key, path=source).splitlines() if code in PASSED else []
            yield Mutant(where, shortened(diff[2:]), code)


def shortened(diff: Sequence[str]) -> str:
    """Return the lines of a unified diff as one, with the change in brackets."""
    old, new = (
        re.findall(r"\w+|\W", " ".join(line[1:].strip() for line in diff if line.startswith(sign))) for sign in "-+"
    )
    before = _equal_at_start(old, new)
    after = _equal_at_start(old[before:][::-1], new[before:][::-1])
    ends = (len(old) - after, len(new) - after)
    change = f"[{''.join(old[before : ends[0]])} -> {''.join(new[before : ends[1]])}]"
    return "".join([*old[:before], change, *old[ends[0] :]])


def _equal_at_start(old: Sequence[str], new: Sequence[str]) -> int:
    return next(
        (at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new))
    )


def report(name: str, mutants: Sequence[Mutant], known: Mapping[str, str]) -> int:
    """Print a part's figures and the survivors that tests/mutants.toml does not have. Return the exit status."""
    survivors = [mutant for mutant in mutants if mutant.survived]
    wording = [mutant for mutant in survivors if mutant.wording]
    rest = Counter(f"{mutant.where}: {mutant.change}" for mutant in survivors if not mutant.wording)
    count = Counter(mutant.result for mutant in mutants)
    unfinished = sum(count[result] for result in UNFINISHED)
    noticed = len(mutants) - len(survivors) - unfinished
    new = {text: times for text, times in rest.items() if text not in known}
    print(
        f"{name}: {len(mutants)} mutants, {noticed} noticed ({100 * noticed / max(1, len(mutants)):.1f} %; "
        f"{count[BY_TYPES]} by mypy), {len(wording)} only in wording, {rest.total() - sum(new.values())} equal, "
        f"{sum(new.values())} new, {unfinished} not run"
    )
    for text in sorted(new):
        print(f"  {text}")
    return 1 if new or unfinished else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
