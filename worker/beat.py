"""The beat process: rings the sweep and the clock, and says in the ledger that it does."""

from registrar import scrub
from registrar.ledger import Ledger
from registrar.policy import Policy
from registrar.queue import celery_app
from registrar.settings import from_environment
from worker.pulse import Pulse
from worker.schedule import SCHEDULE


def main() -> None:
    settings = from_environment()
    scrub.install(settings, Policy(version=1))  # what registrar.yml names is none of its business
    app = celery_app(settings.broker_url)
    app.conf.beat_schedule = SCHEDULE
    with Pulse(Ledger(settings.ledger_url), "beat"):
        # The schedule is intervals only: nothing to keep on a disk, so no file that a crash could spoil.
        quiet = ["--quiet"] if settings.watching.log == "json" else []  # its banner is no log
        app.start([*quiet, "beat", "--scheduler=celery.beat:Scheduler", "--pidfile=", "--loglevel=INFO"])
