"""Azure DevOps: a build that ended, by a service hook with Basic authentication (Azure signs nothing).

https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks
https://learn.microsoft.com/azure/devops/service-hooks/events#build-completed (resource version 2.0; "all" details)
"""

VERIFY = {"how": "basic"}
DELIVERY_ID = None
RULES = [
    {
        "when": "eventType == 'build.complete' && resource.result == 'succeeded'",
        "type": "training_run.finished",
        "data": {"commit": "resource.sourceVersion"},
        "at": "resource.finishTime",
    },
    {
        "when": "eventType == 'build.complete' && resource.result == 'failed'",
        "type": "training_run.failed",
        "data": {"commit": "resource.sourceVersion", "reason": "message.text"},
        "at": "resource.finishTime",
    },
]
