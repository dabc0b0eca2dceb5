"""Bitbucket Cloud and Data Center: a commit's build status.

https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/ (X-Hub-Signature is SHA-256 here)
https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Build-status-created
"""

VERIFY = {"how": "hmac", "header": "x-hub-signature", "prefix": "sha256="}
DELIVERY_ID = None
RULES = [
    {
        "when": "commit_status.state == 'SUCCESSFUL'",
        "type": "training_run.finished",
        "data": {"commit": "commit_status.commit.hash"},
        "at": "commit_status.updated_on",
    },
    {
        "when": "commit_status.state == 'FAILED'",
        "type": "training_run.failed",
        "data": {
            "commit": "commit_status.commit.hash",
            "reason": "join(' ', ['build', commit_status.key, 'failed:', commit_status.url] | [?type(@) == 'string'])",
        },
        "at": "commit_status.updated_on",
    },
]
