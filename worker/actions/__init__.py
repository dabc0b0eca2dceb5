"""One file per verb; the file's name is the Celery task's: register.py is `worker.register`.

Each offers `act(work: worker.task_context.Work) -> registrar.events.outcome.Outcome`. An action may run again after
a crash at any line, so it looks before it writes, and leaves the ledger to its Outcome. What it can't do it raises (see
worker/registry/protocol.py): Retryable to be tried again, Final to fail, with a sentence for people. No action imports
another: what several need stands in worker/promotions/, and what comes next is a FollowUp.
"""
