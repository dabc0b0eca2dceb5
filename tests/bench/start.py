"""How long until a part is ready, what it holds in memory then, and how large its install is."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from registrar.config.key_generation import new_key, new_webhook_secret
from registrar.local import installation, process_tree
from registrar.local import services as usual
from registrar.local.data_folder import Folder
from registrar.local.installation import Installation
from registrar.local.service_process import ServiceProcess
from registrar.local.services import Printed, Service
from tests.bench import processes
from tests.bench.contenders import CONFIG, NOBODY
from tests.bench.machine import ROOT
from tests.bench.options import Options
from tests.bench.result import Plot, Result, Table
from tests.bench.rounds import Figures, alternate, medians

TITLE = "Starting: seconds until a part is ready, on a ledger and a Redis that are there; memory once it is"
COLUMNS = ("part", "ready after s", "CPU s", "memory MB", "its processes, MB", "install MB", "packages")
_POLL = 0.005  # seconds
_PYTHON = "python -c pass"
_HELP = "registrar --help"


@dataclass(frozen=True)
class House:
    """A data folder with its environment."""

    folder: Folder
    environ: dict[str, str]

    @contextmanager
    def running(self, part: Service) -> Iterator[ServiceProcess]:
        """Once it is ready."""
        log = self.folder.log(part.name)
        running = ServiceProcess(part, environ=self.environ, cwd=self.folder.path, log=log)
        try:
            while not part.ready(running):
                if running.exit_code is not None or running.age > part.start_timeout:
                    raise RuntimeError(f"{part.name} does not start. {running.last_lines()}")
                time.sleep(_POLL)
            yield running
        finally:
            running.stop(process_tree.never)


def measure(options: Options) -> Result:
    sizes = {name: install(name) for name in ("receiver", "worker")} if options.installs else {}
    each: dict[str, Sequence[float]] = {}
    with house() as (home, site):
        parts = (usual.receiver(site), usual.worker(), replace(usual.beat(), ready=Printed("maxinterval")))

        def once(what: Service | str) -> Figures:
            if isinstance(what, str):
                return ended(what, home)
            figures, each[what.name] = ready(what, home)
            return figures

        cases = [*parts, _HELP, _PYTHON]
        rounds = alternate(cases, options.rounds, once)
    found = [medians(one) for one in rounds]
    names = [case if isinstance(case, str) else case.name for case in cases]
    rows = [
        [name, *(one.get(column) for column in COLUMNS[1:4]), _listed(each.get(name)), *sizes.get(name, (None, None))]
        for name, one in zip(names, found, strict=True)
    ]
    return Result(
        Table(COLUMNS, rows),
        plots=[
            Plot("Ready after", "seconds", names, {"ready": [one["ready after s"] for one in found]}),
            Plot("Memory", "MB (PSS)", names[:3], {"memory": [one["memory MB"] for one in found[:3]]}),
        ],
        rounds=dict(zip(names, rounds, strict=True)),
    )


@contextmanager
def house(config: str = CONFIG, ledger: str | None = None) -> Iterator[tuple[House, Installation]]:
    """With a Redis that runs and a ledger that is migrated. ledger: its URL; None: SQLite, in the folder."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Folder(Path(name).resolve())
        folder.prepare()
        folder.config.write_text(config, encoding="utf-8")
        (folder.path / "ci.whsec").write_text(new_webhook_secret(), encoding="utf-8")
        chosen = installation.choose_ports(("redis", "receiver"), folder.ports, fixed={})
        site = Installation(
            folder=folder, config=folder.config, ports=chosen, secret_key=new_key(), mlflow=NOBODY, ledger=ledger
        )
        home = House(folder, site.environ(os.environ))
        subprocess.run(usual.migrate().command, env=home.environ, cwd=folder.path, check=True, capture_output=True)
        with home.running(usual.redis(site)):
            yield home, site


def ready(part: Service, home: House) -> tuple[Figures, list[float]]:
    """Its figures, and the memory of each of its processes."""
    with home.running(part) as running:
        seconds, cpu = running.age, processes.cpu([running.pid])
        processes.settle([running.pid])
        each = processes.each([running.pid])
    return {"ready after s": seconds, "CPU s": cpu, "memory MB": sum(each)}, each


def ended(command: str, home: House) -> Figures:
    """Of a command that does its work and ends."""
    program, *words = command.split()
    before, begin = os.times(), time.perf_counter()
    subprocess.run([Path(sys.executable).parent / program, *words], env=home.environ, check=True, capture_output=True)
    seconds, after = time.perf_counter() - begin, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"ready after s": seconds, "CPU s": cpu}


def install(name: str) -> tuple[float, float]:
    """MB and packages of what the images install for a part, compiled as there; Python itself is not counted."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        uv = Path(sys.executable).parent / "uv"
        python = Path(folder) / "bin/python"
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, "--allow-existing", folder], check=True)
        into = [uv, "pip", "install", "--quiet", "--python", python, "--compile-bytecode"]
        subprocess.run([*into, "--require-hashes", "-r", f"requirements/{name}.txt"], cwd=ROOT, check=True)
        subprocess.run([*into, "--no-deps", "."], cwd=ROOT, check=True)
        files = [file for file in Path(folder, "lib").rglob("*") if file.is_file()]
        packages = sum(file.name == "METADATA" for file in files)
        return sum(file.stat().st_size for file in files) / 2**20, float(packages)


def _listed(each: Sequence[float] | None) -> str | None:
    return " + ".join(f"{one:.0f}" for one in each) if each else None
