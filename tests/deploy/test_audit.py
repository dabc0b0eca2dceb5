"""The audit of what is pinned: a known hole fails it, an excuse ends, and silence is said and not taken for safety."""

import importlib.util
import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
TODAY = date(2026, 11, 25)
SPEC = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
assert SPEC
assert SPEC.loader
audit: Any = importlib.util.module_from_spec(SPEC)
sys.modules["audit"] = audit
SPEC.loader.exec_module(audit)

GOOD = {"name": "pluggy", "version": "1.7.0", "vulns": []}
# As pip-audit 2.10.1 writes them.
VULN = {"id": "CVE-2026-0001", "fix_versions": ["9.9"], "aliases": ["GHSA-test-0000-0001"], "description": "x"}
BAD = {**GOOD, "vulns": [VULN]}
SKIPPED = {"name": "tomlkit", "skip_reason": "Dependency not found on PyPI and could not be audited: tomlkit (0.15.2)"}
SILENT = 'import sys; sys.stderr.write("Traceback\\nConnectionError: api.osv.dev")'


def told(*packages: dict[str, Any], excused: str = "", today: date = TODAY) -> tuple[str, int]:
    found = [audit.Excuse(excused, "only in what nothing here starts", TODAY)] if excused else []
    said, code = audit.verdict({"dependencies": list(packages)}, found, today)
    return "\n".join(said), code


def test_without_holes_it_passes_and_says_how_many_were_looked_at():
    assert told(GOOD) == ("1 packages audited, 0 known holes that are not excused", 0)


def test_a_known_hole_fails_and_says_what_fixes_it():
    said, code = told(GOOD, BAD)
    assert code == 1
    assert "KNOWN HOLE: pluggy 1.7.0: CVE-2026-0001, GHSA-test-0000-0001; fixed in 9.9" in said


@pytest.mark.parametrize("id", ["CVE-2026-0001", "GHSA-test-0000-0001"])
def test_an_excuse_counts_to_its_last_day(id: str):
    said, code = told(BAD, excused=id)
    assert (code, "excused until 2026-11-25" in said) == (0, True)
    said, code = told(BAD, excused=id, today=TODAY + timedelta(days=1))
    assert (code, "its excuse ended on 2026-11-25" in said) == (1, True)


def test_another_holes_excuse_excuses_nothing():
    assert told(BAD, excused="CVE-2026-0002")[1] == 1


def test_a_service_that_knows_nothing_is_not_taken_for_safety():
    assert told(SKIPPED)[0].startswith("NOT AUDITED: no advisory service answers")
    assert told(SKIPPED, GOOD)[0].startswith("NOT AUDITED, as the service does not know them: tomlkit")
    assert told(SKIPPED, BAD)[1] == 1


def test_no_answer_at_all_is_said_and_fails_nothing():
    said, code = audit.verdict(None, [], TODAY)
    assert (said[0].startswith("NOT AUDITED"), code) == (True, 0)


@pytest.mark.parametrize(
    "entry",
    ['reason = "because"\nuntil = 2026-12-01', 'reason = "only in what nothing here starts"\nuntil = 2028-01-01'],
)
def test_an_excuse_needs_a_reason_and_an_end(entry: str):
    with pytest.raises(ValueError, match="CVE-1"):
        audit.excuses(f'[[excused]]\nid = "CVE-1"\n{entry}', TODAY)


def test_the_excuses_there_are_can_be_read():
    assert audit.excuses((ROOT / ".ci" / "advisories.toml").read_text(), date.today()) is not None


@pytest.mark.parametrize(
    ("says", "report"),
    [
        (
            f"import sys; sys.stdout.write({json.dumps({'dependencies': [BAD]})!r}); sys.exit(1)",
            {"dependencies": [BAD]},
        ),
        (f"print({json.dumps({'dependencies': [SKIPPED]})!r})", None),
        (SILENT, None),
    ],
    ids=["a hole", "a service that knows nothing", "no service"],
)
def test_what_pip_audit_says_is_understood(
    says: str, report: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    stands_in = tmp_path / "pip-audit"
    stands_in.write_text(f"#!{sys.executable}\n{says}\n")
    stands_in.chmod(0o755)
    assert audit.asked(str(stands_in), [tmp_path / "x.txt"], "pypi") == report
    assert bool(capsys.readouterr().out) == (report is None)
