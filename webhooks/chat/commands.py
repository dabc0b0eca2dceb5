"""The commands of chat: the usage, the event, and the immediate answer of each. arguments.py parses what follows."""

from collections.abc import Callable
from dataclasses import dataclass

from webhooks.chat import arguments
from webhooks.chat.arguments import Fields


@dataclass(frozen=True)
class Command:
    """One command. read: parses the arguments into the data of an event of `type`. accepted: the immediate answer."""

    usage: str
    description: str
    type: str
    read: Callable[[str], Fields]
    accepted: str


COMMANDS: dict[str, Command] = {
    "experiments": Command(
        usage="experiments",
        description="all experiments",
        type="registry.query",
        read=arguments.exactly("experiments"),
        accepted="Looking up the experiments.",
    ),
    "runs": Command(
        usage="runs EXPERIMENT [FILTER]",
        description="its best runs, e.g. metrics.rmse < 7",
        type="registry.query",
        read=arguments.runs,
        accepted="Looking up runs of {experiment}.",
    ),
    "models": Command(
        usage="models",
        description="all models",
        type="registry.query",
        read=arguments.exactly("models"),
        accepted="Looking up the models.",
    ),
    "versions": Command(
        usage="versions MODEL",
        description="its versions, stages and metrics",
        type="registry.query",
        read=arguments.exactly("versions", "model"),
        accepted="Looking up the versions of {model}.",
    ),
    "history": Command(
        usage="history MODEL",
        description="which version held what when",
        type="registry.query",
        read=arguments.exactly("history", "model"),
        accepted="Looking up the history of {model}.",
    ),
    "plan": Command(
        usage="plan MODEL [VERSION] [STAGE] | plan prune MODEL | plan archive-old ...",
        description="what would happen",
        type="registry.query",
        read=arguments.plan,
        accepted="Looking up what would happen to {model}.",
    ),
    "fetch": Command(
        usage="fetch MODEL [VERSION]",
        description="a link to its files",
        type="registry.query",
        read=arguments.fetch,
        accepted="Looking up where {model} version {version} is.",
    ),
    "register": Command(
        usage="register MODEL RUN | register MODEL best EXPERIMENT [FILTER] order by ORDER",
        description="register a run's model, or the best's",
        type="model_version.register",
        read=arguments.registration,
        accepted="On it: registering {model}.",
    ),
    "promote": Command(
        usage="promote MODEL [VERSION] [STAGE] [reason]",
        description="ask for a promotion (to Production by default)",
        type="promotion.request",
        read=arguments.request,
        accepted="On it: requesting {model} version {version} for {target}.",
    ),
    "approve": Command(
        usage="approve MODEL [VERSION] [STAGE] [reason]",
        description="approve an open promotion",
        type="promotion.approve",
        read=arguments.vote,
        accepted="On it: approving {model} version {version} for {target}.",
    ),
    "breakglass": Command(
        usage="breakglass MODEL VERSION [STAGE] reason",
        description="approve alone, in an emergency",
        type="promotion.approve",
        read=arguments.break_glass,
        accepted="On it: breaking the glass for {model} version {version} to {target}.",
    ),
    "reject": Command(
        usage="reject MODEL [VERSION] [STAGE] [reason]",
        description="reject an open promotion",
        type="promotion.reject",
        read=arguments.vote,
        accepted="On it: rejecting {model} version {version} for {target}.",
    ),
    "cancel": Command(
        usage="cancel MODEL [VERSION] [STAGE] [reason]",
        description="cancel an open promotion",
        type="promotion.cancel",
        read=arguments.vote,
        accepted="On it: cancelling {model} version {version} for {target}.",
    ),
    "rollback": Command(
        usage="rollback MODEL [STAGE] [to VERSION] reason",
        description="roll back to the version before, or to VERSION (Production by default)",
        type="model.rollback",
        read=arguments.rollback,
        accepted="On it: rolling {model} back in {target}.",
    ),
    "transition": Command(
        usage="transition MODEL [VERSION] STAGE [reason]",
        description="move a version to a stage",
        type="model_version.transition",
        read=arguments.transition,
        accepted="On it: moving {model} version {version} to {stage}.",
    ),
    "demote": Command(
        usage="demote MODEL [VERSION] [reason]",
        description="take a version one step back",
        type="model_version.transition",
        read=arguments.demotion,
        accepted="On it: taking {model} version {version} back to {stage}.",
    ),
    "archive": Command(
        usage="archive MODEL VERSION [reason]",
        description="move a version to Archived",
        type="model_version.archive",
        read=arguments.archive,
        accepted="On it: archiving {model} version {version}.",
    ),
    "archive-old": Command(
        usage="archive-old MODEL AGE [keep N] [reason]",
        description="archive versions older than AGE (90d)",
        type="model.archive",
        read=arguments.archive_old,
        accepted="On it: archiving versions of {model} that are older than {older_than}.",
    ),
    "describe": Command(
        usage="describe MODEL [VERSION] TEXT",
        description="set its description",
        type="model_version.describe",
        read=arguments.description,
        accepted="On it: describing {model} version {version}.",
    ),
    "tag": Command(
        usage="tag MODEL [VERSION] KEY=VALUE ...",
        description="set its tags",
        type="model_version.describe",
        read=arguments.tags,
        accepted="On it: tagging {model} version {version}.",
    ),
    "prune": Command(
        usage="prune MODEL [reason]",
        description="mark old versions, delete those marked long ago",
        type="model.prune",
        read=arguments.prune,
        accepted="On it: pruning {model}.",
    ),
    "dead": Command(
        usage="dead [MODEL]",
        description="failed tasks",
        type="registry.query",
        read=arguments.exactly("dead", "model"),
        accepted="Looking up the failed tasks.",
    ),
    "retry": Command(
        usage="retry MODEL TASK [reason]",
        description="retry a failed task",
        type="task.retry",
        read=arguments.retry,
        accepted="On it: retrying {task_id} of {model}.",
    ),
}
# Words that are understood, and not listed.
ALIASES = {"request": "promote"}
