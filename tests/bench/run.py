"""Benches by name, or all: `python -m tests.bench.run [NAME ...] [--ledger sqlite] [--rounds N] [--out FOLDER]`.

Prints a table of each, and writes FOLDER/performance/NAME.json and NAME.png, and the table's block in
FOLDER/performance.md where there is one.
"""

import argparse
import importlib
import sys
from pathlib import Path

from tests.bench import machine, report
from tests.bench.options import LEDGERS, Options

HERE = Path(__file__).parent


def names() -> list[str]:
    """Of all benches."""
    return sorted(file.stem for file in HERE.glob("*.py") if "\nTITLE = " in file.read_text(encoding="utf-8"))


def run(name: str, options: Options, *, note: str, out: Path | None) -> None:
    bench = importlib.import_module(f"tests.bench.{name}")
    facts = machine.facts()
    result = bench.measure(options)
    sys.stdout.write(f"{bench.TITLE}\n\n{report.text(result, {**facts, **result.machine}, note=note)}\n\n")
    if out:
        report.write(name, bench.TITLE, result, facts, options, note=note, out=out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(names())}; none: all")
    parser.add_argument("--ledger", choices=LEDGERS, help="on this one alone")
    parser.add_argument("--rounds", type=int, default=Options.rounds)
    parser.add_argument("--seconds", type=float, default=Options.seconds, help="of load, each time")
    parser.add_argument("--installs", action="store_true", help="also what needs the package index")
    parser.add_argument("--events", type=int, help="of a burst, of a queue; none: as many as each bench wants")
    parser.add_argument("--note", default="", help="what the reader must know: the machine was not quiet")
    parser.add_argument("--out", type=Path, help="a folder, such as docs; none: nothing is written")
    given = parser.parse_args()
    if unknown := set(given.names) - set(names()):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    options = Options(
        ledgers=(given.ledger,) if given.ledger else LEDGERS,
        rounds=given.rounds,
        seconds=given.seconds,
        installs=given.installs,
        events=given.events,
    )
    for name in given.names or names():
        run(name, options, note=given.note, out=given.out)


if __name__ == "__main__":
    main()
