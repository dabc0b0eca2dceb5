"""Jenkins: the Notification plugin's JSON about a job that ended, with a bearer token (Jenkins signs nothing).

https://plugins.jenkins.io/notification/ , sent by the HTTP Request plugin or through a proxy that adds the header. A
job that can run `curl` does better with a `standard` source: README, "Say so from CI".
"""

VERIFY = {"how": "bearer"}
DELIVERY_ID = None
RULES = [
    {
        "when": "build.phase == 'FINALIZED' && build.status == 'SUCCESS'",
        "type": "training_run.finished",
        "data": {"commit": "build.scm.commit", "run_id": "build.parameters.MLFLOW_RUN_ID"},
    },
    {
        "when": "build.phase == 'FINALIZED' && build.status == 'FAILURE'",
        "type": "training_run.failed",
        "data": {
            "commit": "build.scm.commit",
            "run_id": "build.parameters.MLFLOW_RUN_ID",
            "reason": "join(' ', ['job', name, 'failed:', build.full_url] | [?type(@) == 'string'])",
        },
    },
]
