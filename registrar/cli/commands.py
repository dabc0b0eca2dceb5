"""Lists the commands of `registrar` by the sections of its help.

A new command is a line here and a click.Command in a module of this folder. Its help line is the first of its
docstring; a test holds the two together.
"""

from registrar.cli.lazy_group import LazyCommand

SECTIONS = {
    "Start here": {
        "up": LazyCommand(
            "registrar.cli.up:up",
            "Start everything on this machine: Redis, MLflow, receiver, worker and beat.",
            needs="psutil",
        ),
        "demo": LazyCommand(
            "registrar.cli.up:demo",
            "Play the main job on this machine, end to end, and stay up until Ctrl-C.",
            needs="psutil",
        ),
        "doctor": LazyCommand(
            "registrar.cli.doctor:doctor", "Check every part, and say what to do about each problem."
        ),
        "overview": LazyCommand(
            "registrar.cli.overview:overview",
            "Say what waits for whom, and what is not well.",
        ),
    },
    "Move versions of a model": {
        "register": LazyCommand(
            "registrar.cli.verbs:register",
            "Register a run's model as a version of MODEL: a named run's, or that of the best run of an experiment.",
        ),
        "promote": LazyCommand(
            "registrar.cli.verbs:promote",
            "Ask for the promotion of MODEL VERSION: its gates are evaluated and, where needed, people are asked.",
        ),
        "approve": LazyCommand(
            "registrar.cli.promotions:approve", "Approve a promotion, and wait for what comes of it."
        ),
        "reject": LazyCommand("registrar.cli.promotions:reject", "Reject a promotion."),
        "promotions": LazyCommand(
            "registrar.cli.promotions:promotions",
            "List what waits for approval, show its evidence and who may still vote, approve or reject it.",
        ),
        "plan": LazyCommand("registrar.cli.plan:plan", "Say what a promotion or a prune would do, without doing it."),
        "transition": LazyCommand(
            "registrar.cli.verbs:transition",
            "Move MODEL VERSION to a stage; one that registrar.yml guards becomes a request for promotion.",
        ),
        "demote": LazyCommand(
            "registrar.cli.verbs:demote",
            "Take MODEL VERSION out of the target that it holds, one step back.",
        ),
        "rollback": LazyCommand(
            "registrar.cli.registry:rollback",
            "Put the version of MODEL back that was in Production before, and quarantine the one that is.",
        ),
        "describe": LazyCommand("registrar.cli.verbs:describe", "Set the description of MODEL VERSION in MLflow."),
        "tag": LazyCommand("registrar.cli.verbs:tag", "Set tags of MODEL VERSION in MLflow; the others stay."),
        "archive": LazyCommand(
            "registrar.cli.archive:archive",
            "Move MODEL VERSION, or the old versions of MODEL, to the stage Archived.",
        ),
        "fetch": LazyCommand(
            "registrar.cli.fetch:fetch", "Fetch the files of MODEL VERSION, or of a run, into a folder here."
        ),
        "prune": LazyCommand(
            "registrar.cli.registry:prune",
            "Mark the versions of MODEL that `retention` in registrar.yml lets go, and delete those marked long ago.",
        ),
        "adopt": LazyCommand(
            "registrar.cli.registry:adopt",
            "Take in MODEL, whose versions MLflow had before Registrar: who holds what, and the newest version.",
        ),
    },
    "Ask for something else": {
        "send": LazyCommand("registrar.cli.send:send", "Sign an event and post it."),
        "reconcile": LazyCommand(
            "registrar.cli.registry:reconcile",
            "Compare MLflow with the record, of MODEL or of every model that the record knows a holder of.",
        ),
        "replay": LazyCommand("registrar.cli.replay:replay", "Send an accepted EVENT again, as a new one of your own."),
        "dead": LazyCommand(
            "registrar.cli.dead_letters:dead", "Show work that failed for good; try it again, or drop it."
        ),
        "queue": LazyCommand(
            "registrar.cli.queue:queue", "Show what waits and whose turn it is; drop what stands in the way."
        ),
    },
    "Look things up": {
        "events": LazyCommand(
            "registrar.cli.events:events",
            "List what was accepted, newest first; show one with what became of it; follow what comes in.",
        ),
        "models": LazyCommand(
            "registrar.cli.models:models",
            "List the registered models: who holds which stage and alias, the deciding metric, and who acts next.",
        ),
        "history": LazyCommand(
            "registrar.cli.models:history",
            "Show which version of MODEL held which stage and alias, when, by whose event, why, and who approved it.",
        ),
        "compare": LazyCommand(
            "registrar.cli.compare:compare",
            "Compare versions A and B of MODEL by the record: metrics, gates, tags, files, who registered and approved "
            "them.",
        ),
        "rejections": LazyCommand(
            "registrar.cli.events:rejections", "List requests that were refused and why, newest first."
        ),
        "policy": LazyCommand(
            "registrar.cli.config:policy",
            "Show the policy in effect, without where its secrets are, and its digest; or the one behind a digest.",
        ),
        "audit": LazyCommand(
            "registrar.cli.audit:audit", "Verify that the record's history was not changed, and export it for auditors."
        ),
    },
    "Look into MLflow": {
        "experiments": LazyCommand(
            "registrar.cli.lookups:experiments", "List the experiments of the MLflow server, or create one."
        ),
        "runs": LazyCommand(
            "registrar.cli.lookups:runs",
            "Search the runs of an experiment, as MlflowClient.search_runs does.",
        ),
        "versions": LazyCommand(
            "registrar.cli.lookups:versions",
            "List the versions of MODEL: stage, aliases, metrics, age, and who registered them; or show one VERSION.",
        ),
    },
    "Set up and look after": {
        "check-config": LazyCommand(
            "registrar.cli.config:check_config", "Explain what registrar.yml grants, asks and tells, and check it."
        ),
        "schema": LazyCommand(
            "registrar.cli.config:schema",
            "Print the JSON Schema of registrar.yml, for editors to complete and check it.",
        ),
        "secret": LazyCommand(
            "registrar.cli.config:secret",
            "Make a new key for REGISTRAR_SECRET_KEY, or a source's secret, and print it.",
        ),
        "mlflow": LazyCommand(
            "registrar.cli.webhook:mlflow",
            "Have MLflow tell of each change in its registry, by a webhook of its own.",
        ),
        "token": LazyCommand(
            "registrar.cli.token:token",
            "Make, list and revoke API tokens and sign-in links. The journal says who did: registrar audit export.",
        ),
        "address": LazyCommand(
            "registrar.cli.installation:address", "Print where the receiver or MLflow is, for scripts."
        ),
        "migrate": LazyCommand("registrar.cli.installation:migrate", "Bring the ledger's schema up to date."),
        "alive": LazyCommand(
            "registrar.cli.installation:alive",
            "Say whether a part on this machine is alive, by its own heartbeat and the last turn of its loop.",
        ),
        "compact": LazyCommand(
            "registrar.cli.compact:compact",
            "Move old events, finished tasks, journal entries and refusals into compressed files.",
        ),
        "completion": LazyCommand(
            "registrar.cli.completion:completion",
            "Print what makes a shell complete commands, options, models, versions and people.",
        ),
    },
}
