"""`make audit`: are there known holes in what requirements/*.txt pins? pip-audit asks an advisory service.

Exit code 1 for a known hole that .ci/advisories.toml does not excuse today. Where no service answers, nothing is known,
which is no failure of the change at hand: it is said loudly, and the exit code is 0.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXCUSES = ROOT / ".ci" / "advisories.toml"
SERVICES = ("pypi", "osv")
LONGEST = 180  # days that an excuse may last
Report = Mapping[str, object]


@dataclass(frozen=True)
class Excuse:
    """id: of the advisory, or one of its aliases. until: the last day."""

    id: str
    reason: str
    until: date


@dataclass(frozen=True)
class Hole:
    package: str
    ids: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fix = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no version fixes it yet"
        return f"{self.package}: {', '.join(self.ids)}; {fix}"


def excuses(text: str, today: date) -> list[Excuse]:
    """Raises ValueError for one that lacks something or lasts too long."""
    found = [Excuse(**entry) for entry in tomllib.loads(text).get("excused", [])]
    for one in found:
        if len(one.reason) < 20 or (one.until - today).days > LONGEST:
            raise ValueError(f"{one.id}: an excuse has a reason in a sentence, and an end within {LONGEST} days")
    return found


def holes(report: Report) -> Iterator[Hole]:
    for package in report["dependencies"]:
        for vuln in package.get("vulns", []):
            yield Hole(
                f"{package['name']} {package['version']}", (vuln["id"], *vuln["aliases"]), tuple(vuln["fix_versions"])
            )


def unknown(report: Report) -> list[str]:
    """The packages that the service does not know: pip-audit passes over them and calls that a success."""
    return [package["name"] for package in report["dependencies"] if "skip_reason" in package]


def verdict(report: Report | None, excused: Sequence[Excuse], today: date) -> tuple[list[str], int]:
    """What to say, and the exit code. report: pip-audit's JSON; None where no service answered."""
    skipped = unknown(report) if report else []
    if report is None or len(skipped) == len(report["dependencies"]):
        return [
            "NOT AUDITED: no advisory service answers from here, so nothing is known about known holes.",
            "This run says nothing about them. Run `make audit` where pypi.org or api.osv.dev can be reached.",
        ], 0
    said = [f"NOT AUDITED, as the service does not know them: {', '.join(skipped)}"] if skipped else []
    open_, code = [], 0
    for hole in holes(report):
        mine = [one for one in excused if one.id in hole.ids]
        if mine and mine[0].until >= today:
            said.append(f"excused until {mine[0].until}: {hole} ({mine[0].reason})")
        else:
            open_.append(f"KNOWN HOLE: {hole}" + (f" (its excuse ended on {mine[0].until})" if mine else ""))
            code = 1
    audited = len(report["dependencies"]) - len(skipped)
    return [*said, *open_, f"{audited} packages audited, {len(open_)} known holes that are not excused"], code


def asked(program: str, files: Sequence[Path], service: str) -> Report | None:
    """None where the service does not answer, or knows none of the packages."""
    given = [word for file in files for word in ("--requirement", str(file))]
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(
        [program, *given, *options, "--vulnerability-service", service], capture_output=True, text=True, check=False
    )
    try:
        report: Report = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.stdout.write(f"{service}: {said[:300]}\n")
        return None
    if len(unknown(report)) < len(report["dependencies"]):
        return report
    sys.stdout.write(f"{service}: it answers, but knows none of the packages\n")
    return None


def main(program: str) -> int:
    files = sorted((ROOT / "requirements").glob("*.txt"))
    today = date.today()
    excused = excuses(EXCUSES.read_text(encoding="utf-8"), today)
    report = next((found for service in SERVICES if (found := asked(program, files, service))), None)
    said, code = verdict(report, excused, today)
    sys.stdout.write("".join(f"audit: {line}\n" for line in said))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
