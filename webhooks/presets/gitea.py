"""Gitea and Forgejo: a workflow of Actions that ended.

https://docs.gitea.com/usage/webhooks (X-Gitea-Signature: bare hexadecimal)
"""

VERIFY = {"how": "hmac", "header": "x-gitea-signature"}
DELIVERY_ID = None
RULES = [
    {
        "when": "action == 'completed' && workflow_run.conclusion == 'success'",
        "type": "training_run.finished",
        "data": {"commit": "workflow_run.head_sha"},
        "at": "workflow_run.completed_at",
    },
    {
        "when": "action == 'completed' && workflow_run.conclusion == 'failure'",
        "type": "training_run.failed",
        "data": {
            "commit": "workflow_run.head_sha",
            "reason": "join(' ', ['workflow', workflow_run.display_title, 'failed:', workflow_run.html_url]"
            " | [?type(@) == 'string'])",
        },
        "at": "workflow_run.completed_at",
    },
]
