"""The entry point: `python -m worker run` runs tasks, `python -m worker beat` triggers them. Each loads only its own
modules.
"""

import importlib
import logging
import sys

from registrar.config.settings import process_environment
from registrar.errors import UserError
from registrar.telemetry import log_format

ROLES = {"run": "worker.app", "beat": "worker.beat"}


def main(arguments: list[str]) -> None:
    """Run a role until it ends. Exits with one line on stderr where the role can't start."""
    if len(arguments) != 1 or arguments[0] not in ROLES:
        sys.exit("usage: python -m worker run | beat")
    log_format.start(process_environment(), sys.stdout)
    # Celery logs a line for each message, that is every two seconds; the actions' own lines say more.
    for logger in ("celery.app.trace", "celery.worker.strategy", "celery.beat"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    try:
        importlib.import_module(ROLES[arguments[0]]).main()
    except UserError as error:
        sys.exit(f"the worker can't start: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
