"""worker.resend, on event.replay: send an accepted event again, as a new event of the actor who asks for that.

The policy judges the new event by its own actor, not by the first sender, and nobody replies to the first sender. With
`plan`, the answer only says what would happen.
"""

from registrar.events.event import Actor, Event
from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.resend_rules import ResendRefused, data_to_resend
from registrar.events.types import EventReplay
from registrar.ledger import act_subjects
from registrar.ledger.interventions import EventResent
from registrar.ledger.queries import event_status
from worker.interventions import plan_resend
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    request = context.data_as(EventReplay)
    with context.ledger.read() as connection:
        first = event_status.event(connection, request.event_id)
        pins = act_subjects.resend_pins(connection, first["id"], first["type"]) if first else {}
    if first is None or first["model"] != request.model:
        about = f"about {request.model}" if request.model else "about no model"
        raise Refused(f"there is no event {request.event_id} {about}; `registrar events` shows each with its model")
    try:
        data = data_to_resend(context.policy, context.task.source, first["type"], first["data"])
    except ResendRefused as error:
        raise Refused(f"{request.event_id} can't be replayed by {context.actor_name}: {error}") from None
    if request.plan:
        planned = plan_resend(context, data)
        return Outcome("\n".join([f"{data.type} by {context.actor_name} now: {planned.state}", *planned.lines]))
    new = Event(data, Actor(context.task.actor, context.actor_name), context.task.accepted_at)
    resent = EventResent(
        request.event_id, new, context.task.source, request.reason, context.task.args.get(act_subjects.KEY, {}) | pins
    )
    because = f": {request.reason}" if request.reason else ""
    text = f"{new.type} {first['id']} was sent again as {resent.id}, by {context.actor_name}{because}"
    details = {"event": first["id"], "became": resent.id, "type": new.type, "reason": request.reason}
    fact = Fact(FactType.EVENT_REPLAYED, text, request.model, first["data"].get("version"), details)
    return Outcome(text, facts=(fact,), records=(resent,))
