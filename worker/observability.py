"""Metrics, log fields and spans of one worker process.

Prometheus scrapes each worker by itself (REGISTRAR_WORKER_METRICS): attempts, calls of MLflow, notifications, gate
results. Figures that must be right without that come from the ledger, by the receiver. Label values are only names of
registrar.yml and our own. docs/reference/metrics.md explains each metric.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from registrar.events.outcome import Outcome
from registrar.events.states import TaskState
from registrar.ledger import LedgerUnavailable
from registrar.ledger.tasks import LeaseLost, Task
from registrar.policy import Policy, Target
from registrar.policy.document import policy_of
from registrar.policy.gates import kind
from registrar.policy.time_gates import Timing
from registrar.telemetry import log_format, tracing
from registrar.telemetry.liveness import LoopActivity
from worker.promotions.gates import Verdict
from worker.registry.protocol import NotFound, PermanentError, RetryableError
from worker.retry import is_refused

REGISTRY = CollectorRegistry()
_NOTIFYING = ("worker.notify", "worker.edit_card")
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
# The label of an error: the first class that fits.
_RESULTS = ((NotFound, "not_found"), (PermanentError, "final"), (RetryableError, "retryable"))
_UNFINISHED = ((LeaseLost, "lost"), (LedgerUnavailable, "ledger_away"))


def _histogram(name: str, help_: str, *labels: str) -> Histogram:
    return Histogram(f"registrar_{name}", help_, labels, buckets=_SECONDS, registry=REGISTRY)


def _counter(name: str, help_: str, *labels: str) -> Counter:
    return Counter(f"registrar_{name}", help_, labels, registry=REGISTRY)


ATTEMPTS = _histogram("task_attempt_seconds", "Attempts at a task, by how they ended.", "task", "result")
CALLS = _histogram("mlflow_call_seconds", "Calls of MLflow's client, by how they ended.", "call", "result")
NOTIFICATIONS = _counter("notifications", "Attempts to tell a channel, by how they ended.", "channel", "result")
GATES = _counter("gate_results", "Verdicts on requests for a target.", "policy", "target", "gate", "result")


def metrics_text(loop: LoopActivity | None = None) -> bytes:
    """Return the worker's metrics in Prometheus' text format. loop: the process's."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return generate_latest(REGISTRY) + loop_metrics(loop or LoopActivity())


def loop_metrics(loop: LoopActivity) -> bytes:
    """Return the one metric that beat has, too."""
    registry = CollectorRegistry()
    help_ = "Since when the process's own loop has not gone round."
    Gauge("registrar_loop_age_seconds", help_, registry=registry).set(loop.age)
    return generate_latest(registry)


def count_attempt(task: Task, act: Callable[[], Outcome]) -> Outcome:
    """Run an action, and count and time how it ends."""
    began, result = time.perf_counter(), str(TaskState.SUCCEEDED)
    try:
        outcome = act()
        result = TaskState.REFUSED if outcome.refused else TaskState.SUCCEEDED
        return outcome
    except BaseException as error:
        result = TaskState.REFUSED if is_refused(task, error) else _result(error, (*_UNFINISHED, *_RESULTS))
        raise
    finally:
        ATTEMPTS.labels(task.name.removeprefix("worker."), result).observe(time.perf_counter() - began)
        if task.name in _NOTIFYING:
            NOTIFICATIONS.labels(str(task.args.get("channel")), result).inc()


@contextmanager
def count_call(name: str, translate: Callable[[Exception], BaseException]) -> Iterator[None]:
    """Count and time a call to MLflow. translate: turns an exception of MLflow's client into one of
    worker/registry/protocol.py.
    """
    began, result = time.perf_counter(), "succeeded"
    try:
        with tracing.call(f"mlflow {name}"):
            yield
    except Exception as error:
        result = _result(translate(error), _RESULTS)
        raise
    finally:
        CALLS.labels(name, result).observe(time.perf_counter() - began)


def count_gates(policy: Policy, model: str, target: Target, verdicts: Iterable[Verdict]) -> None:
    """Count gate results. verdicts: in the order of the target's gates, without time gates."""
    gates = [gate for gate in target.gates if not isinstance(gate, Timing)]
    for gate, verdict in zip(gates, verdicts, strict=True):
        result = "passed" if verdict.passed else "failed"
        GATES.labels(policy_of(policy, model), target.stage, kind(gate), result).inc()


def _result(error: BaseException, kinds: Iterable[tuple[Any, str]]) -> str:
    return next((name for type_, name in kinds if isinstance(error, type_)), "unexpected")


def log_context(task: Task) -> AbstractContextManager[None]:
    """Add the ids of a task to all that is logged within."""
    return log_format.log_context(
        event=task.event_id,
        task=task.id,
        lane=task.lane,
        model=_text(task.data.get("model")),
        promotion=_text(task.args.get("promotion")),
        trace=tracing.trace_of(task.event_id),
    )


def attempt_span(task: Task) -> AbstractContextManager[None]:
    """Return the span of one attempt; an error marks it as failed."""
    about = {"event": task.event_id, "task": task.id, "lane": task.lane, "model": task.data.get("model")}
    fields = {f"registrar.{name}": str(value) for name, value in about.items() if value is not None}
    return tracing.task(task.name, task.event_id, {**fields, "registrar.attempt": task.attempts})


def _text(value: object) -> str | None:
    return None if value is None else str(value)
