"""What PostgreSQL's image does before it runs the command, and whom it does it as: PostgreSQL refuses to be root."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.deploy.composefile import Ground
from tests.postgres_server import as_postgres

SECONDS = 60


def prepare(ground: Ground, environment: dict[str, str]) -> None:
    """initdb, and deploy/postgres/init.sh in a server that answers on its socket only.

    https://github.com/docker-library/postgres/blob/master/docker-entrypoint.sh
    """
    socket, port = ground.here("/run/postgresql"), ground.here("5432")
    environment = environment | {"PGHOST": socket, "PGPORT": port}
    options = f"-c listen_addresses='' -c port={port} -c unix_socket_directories={socket}"
    log = str(Path(socket) / "preparing.log")
    if os.geteuid() == 0:
        for folder in (Path(environment["PGDATA"]), *ground.tmpfs):
            shutil.chown(folder, "postgres", "postgres")
    password = f"--pwfile={environment['POSTGRES_PASSWORD_FILE']}"
    for command in (
        ["initdb", "--username=postgres", password, *shlex.split(environment["POSTGRES_INITDB_ARGS"])],
        ["pg_ctl", "--wait", f"--options={options}", f"--log={log}", "start"],
        ["sh", ground.here("/docker-entrypoint-initdb.d/init.sh")],
        ["pg_ctl", "--wait", "stop"],
    ):
        _run(command, environment, cwd=Path(socket))


def _run(command: list[str], environment: dict[str, str], *, cwd: Path) -> None:
    done = subprocess.run(
        [*as_postgres(), *command],
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        # pg_ctl's server would hold a pipe open for ever.
        stdout=(cwd / "out").open("ab"),
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} failed:\n{(cwd / 'out').read_text()}"
