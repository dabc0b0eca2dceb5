"""`python -m worker run` works, `python -m worker beat` keeps the time. Each loads only what it needs."""

import importlib
import logging
import sys

from registrar.config.settings import process_environment
from registrar.errors import UserError
from registrar.telemetry import log_format

ROLES = {"run": "worker.app", "beat": "worker.beat"}


def main(arguments: list[str]) -> None:
    """Starts a role, and does not return before it ends. What keeps it from starting is one line on stderr."""
    if len(arguments) != 1 or arguments[0] not in ROLES:
        sys.exit("usage: python -m worker run | beat")
    log_format.start(process_environment(), sys.stdout)
    # One line per doorbell, every two seconds, says nothing: the actions' own lines do.
    for chatty in ("celery.app.trace", "celery.worker.strategy", "celery.beat"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        importlib.import_module(ROLES[arguments[0]]).main()
    except UserError as error:
        sys.exit(f"the worker can't start: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
