"""Runs one of our modules SCALE times as fast as it is, as far as its watching goes: its heartbeats.

    python -m tests.slow.ops.scaled worker run

What a disk has left is what the file FREE says, where there is one: nobody need fill a disk.
"""

import os
import runpy
import shutil
import sys
from pathlib import Path

from registrar.ledger import capacity, heartbeats
from registrar.telemetry import liveness

SCALE = 6
FREE = "OPS_FREE"  # the environment's name for a file with a number of bytes


def main(arguments: list[str]) -> None:
    liveness.SILENT_AFTER /= SCALE
    heartbeats.EVERY /= SCALE
    heartbeats.SILENT_AFTER /= SCALE
    heartbeats.IDLE_AFTER /= SCALE
    if FREE in os.environ:
        capacity.shutil = _Shutil()  # type: ignore[assignment]
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


class _Shutil:
    @staticmethod
    def disk_usage(path: Path) -> shutil._ntuple_diskusage:
        real = shutil.disk_usage(path)
        said = Path(os.environ[FREE])
        return real._replace(free=int(said.read_text())) if said.exists() else real


if __name__ == "__main__":
    main(sys.argv[1:])
