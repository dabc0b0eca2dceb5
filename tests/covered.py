"""Measure which branches the tests take, in every process that they start: `make coverage`.

The receiver and the worker are started with an environment of their own, so each interpreter of this installation is
told to measure, for as long as the tests run. What is killed with SIGKILL says nothing.
"""

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
CONFIG = """
[run]
branch = true
parallel = true
sigterm = true
patch = _exit, fork
source = {root}/registrar, {root}/webhooks, {root}/worker
data_file = {folder}/data
disable_warnings = no-data-collected, module-not-imported
[report]
skip_empty = true
precision = 1
"""
# One line: of a .pth file, Python runs those that begin with import. Where it is left behind, it does nothing.
STARTS = (
    "import os; os.path.exists({config!r}) and (os.environ.setdefault('COVERAGE_PROCESS_START', {config!r}), "
    "__import__('coverage').process_startup())"
)


def main(*arguments: str) -> int:
    """arguments: pytest's. The table goes to stdout; the exit status is pytest's."""
    with TemporaryDirectory(prefix="covered-") as name:
        config = Path(name) / "coveragerc"
        config.write_text(CONFIG.format(root=ROOT, folder=name))
        told = {**os.environ, "COVERAGE_RCFILE": str(config)}
        starts = Path(sysconfig.get_path("purelib")) / "registrar_covered.pth"
        starts.write_text(STARTS.format(config=str(config)))
        try:
            tests = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], cwd=ROOT)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is pytest's: what was measured so far is shown
            signal.signal(signal.SIGTERM, lambda *_: tests.terminate())
            status = tests.wait()
        finally:
            starts.unlink()
        for step in (["combine", "--quiet"], ["report"]):
            subprocess.run([sys.executable, "-m", "coverage", *step], cwd=ROOT, env=told, check=True)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
