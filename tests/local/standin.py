"""Stand-in parts: small processes that behave as the real ones do, and start in no time.

`python -m tests.local.standin DATA` serves them as `registrar up` serves the real ones.
"""

import sys
from pathlib import Path

from registrar.local import Stack, serve
from registrar.local.installation import Installation
from registrar.local.services import HttpOk, Printed, Service

# MLflow's shape: a process that waits for a child. This one does not take the child along when it is asked to end.
FAMILY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
print("ready.", flush=True)
child.wait()
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready.", flush=True)
time.sleep(600)
"""


def python(name: str, code: str, **more) -> Service:
    return Service(name, (sys.executable, "-c", code), **({"ready": Printed("ready."), "stop_timeout": 5} | more))


def web(site: Installation) -> Service:
    port = site.ports["receiver"]
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    return Service("web", command, ready=HttpOk(port, ("/healthz", "/")), address=f"http://127.0.0.1:{port}")


def plan(site: Installation) -> list[Service]:
    return [web(site), python("family", FAMILY, needs=("web",))]


if __name__ == "__main__":
    serve(Stack(Path(sys.argv[1]), plan=plan), when_ready=lambda stack: print("UP", flush=True))
