"""What a replay would do, for the command line; whether it may be is the command's to say (registrar/cli/replay.py)."""

from registrar.cli.context import Context
from registrar.events.types import Data
from worker.promotions.plan import Plan
from worker.registry_session import looking
from worker.resend_plan import plan_replay


def of_event(context: Context, data: Data) -> Plan:
    """Raises Unanswered, where it takes a look at the registry."""
    with looking(context) as look:
        return plan_replay(look, data)
