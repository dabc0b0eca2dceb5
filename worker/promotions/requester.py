"""Who asked for a promotion: bound at the first request, whoever's event it is that asks again or for the next step."""

from registrar.ledger.promotions import latest
from registrar.policy import Target
from worker.promotions.current_stage import standing
from worker.registry.protocol import Version
from worker.task_context import TaskContext

_ASKING = ("promotion.request", "model_version.transition")


def requester(context: TaskContext, version: Version, target: Target) -> str:
    """Return the actor's id.

    In this order: who asked for what became void; who asks for this very step by an event of their own; who asked for
    the step last; who asked for the step that brought the version where it is; whose event this is.
    """
    if kept := context.task.args.get("requested_by"):
        return str(kept)
    if asks(context, version, target):
        return context.task.actor
    before = standing(context.policy.model(version.model), version)
    with context.ledger.read() as connection:
        of = version.incarnation(context.registry.address)
        asked = latest(connection, version.model, version.version, target.stage, of=of)
        brought = latest(connection, version.model, version.version, before, of=of)
    earlier = (asked, brought if brought and brought.state == "promoted" else None)
    return next((one.requested_by for one in earlier if one), context.task.actor)


def asks(context: TaskContext, version: Version, target: Target) -> bool:
    """Whether this event asks for this very step itself, and is none that it follows from."""
    data = context.task.data
    asked = (data.get("version"), data.get("target") or data.get("stage"))
    return context.task.event_type in _ASKING and asked == (version.version, target.stage)
