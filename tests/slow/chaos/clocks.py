"""Clocks that the harness can set: the time of day of a process, not its monotonic clock."""

import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.needs import needs


class Clock:
    """The time of day of all processes that are started with `environment`. folder: for what is compiled."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path, self._library = folder / f"{name}.clock", folder / "clock.so"
        self._path.write_bytes(struct.pack("q", 0))
        if not self._library.exists():
            compiler = needs("cc", install="apt-get install gcc libc6-dev")
            source = Path(__file__).with_name("clock.c")
            command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(self._library), str(source), "-ldl"]
            subprocess.run(command, check=True, timeout=60)

    def jump(self, seconds: int) -> None:
        """From the real time, at once."""
        with self._path.open("r+b") as file:
            file.write(struct.pack("q", seconds))

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": str(self._library), "CHAOS_CLOCK": str(self._path)}
