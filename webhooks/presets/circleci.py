"""CircleCI: a workflow that ended.

https://circleci.com/docs/guides/integration/outbound-webhooks/ ("only check the latest signature type": v1)
"""

VERIFY = {"how": "hmac", "header": "circleci-signature", "prefix": "v1=", "separator": ","}
DELIVERY_ID = "id"
RULES = [
    {
        "when": "type == 'workflow-completed' && workflow.status == 'success'",
        "type": "training_run.finished",
        "data": {"commit": "pipeline.vcs.revision"},
        "at": "happened_at",
    },
    {
        "when": "type == 'workflow-completed' && (workflow.status == 'failed' || workflow.status == 'error')",
        "type": "training_run.failed",
        "data": {
            "commit": "pipeline.vcs.revision",
            "reason": "join(' ', ['workflow', workflow.name, 'ended as', workflow.status] | [?type(@) == 'string'])",
        },
        "at": "happened_at",
    },
]
