"""What a receiver elsewhere can say of its installation: its own state, and that of workers and beats by heartbeats."""

from collections.abc import Iterator

from registrar.doctor import Finding, fail, ok, warn
from registrar.doctor.examine import Line
from registrar.queries.filters import WELL
from registrar.queries.query_service import Row

ONLY_THERE = (
    "settings, registrar.yml, secrets, the broker, disks, channels and MLflow itself: only `registrar doctor` on the "
    "installation's machine checks them"
)


def examine_elsewhere(url: str, overview: Row) -> Iterator[Line]:
    """Yield findings by GET /v1/overview, which the receiver has answered: so it reads its ledger."""
    yield Line("receiver", ok(f"{url} answers, and reads its ledger"))
    for part in overview.get("parts", ()):
        name = " ".join(filter(None, (part["name"], part["instance"])))
        yield Line(str(part["name"]), _finding(name, part))
    for each in overview["not_live"]:
        about = f"{each['model']} version {each['version']} holds {each['target']} and is not live"
        yield Line("work", warn(about, "Deploy it, or roll back: registrar rollback MODEL"))
    if count := overview["dead"]:
        yield Line("work", warn(f"{count:,} tasks failed for good", "registrar dead list shows them, and what to do"))
    else:
        yield Line("work", ok("no task failed for good"))


def _finding(name: str, part: Row) -> Finding:
    if part["status"] == WELL:
        return ok(f"{name} is {WELL}: {part['detail']}")
    problem = f"{name} is {part['status']}: {part['detail']}"
    return fail(problem, "registrar doctor on its machine finds why")
