"""The beat process: rings the sweep. It needs the broker's address and nothing else."""

from registrar.queue import celery_app
from registrar.settings import from_environment
from worker.schedule import SCHEDULE


def main() -> None:
    app = celery_app(from_environment().broker_url)
    app.conf.beat_schedule = SCHEDULE
    # The schedule is intervals only: nothing to keep on a disk, so no file that a crash could spoil.
    app.start(["beat", "--scheduler=celery.beat:Scheduler", "--pidfile=", "--loglevel=INFO"])
