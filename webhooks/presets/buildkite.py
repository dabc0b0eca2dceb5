"""Buildkite: a build that ended. Its meta-data can name the run: `buildkite-agent meta-data set mlflow_run_id ...`.

https://buildkite.com/docs/apis/webhooks/pipelines (choose "Send an HMAC signature")
"""

VERIFY = {
    "how": "hmac",
    "header": "x-buildkite-signature",
    "signed": "{timestamp}.{body}",
    "packed": "timestamp={timestamp},signature={signature}",
}
DELIVERY_ID = None
RULES = [
    {
        "when": "event == 'build.finished' && build.state == 'passed'",
        "type": "training_run.finished",
        "data": {"commit": "build.commit", "run_id": "build.meta_data.mlflow_run_id"},
        "at": "build.finished_at",
    },
    {
        "when": "event == 'build.finished' && build.state == 'failed'",
        "type": "training_run.failed",
        "data": {
            "commit": "build.commit",
            "run_id": "build.meta_data.mlflow_run_id",
            "reason": "join(' ', ['build', to_string(build.number), 'of', pipeline.slug, 'failed:', build.web_url]"
            " | [?type(@) == 'string'])",
        },
        "at": "build.finished_at",
    },
]
