"""The names of the events of GitHub's that are heard, and what each body must have to be taken for one.

https://docs.github.com/webhooks/webhook-events-and-payloads
X-GitHub-Event is not signed: whoever caught a body could send it again under another event's name. So an event is
known by the parts that its own body alone has. All others are ignored by their names: a hook that is set to "send me
everything" sends some 70 kinds, and GitHub adds some each year.
"""

from collections.abc import Mapping

SHAPES: Mapping[str, tuple[str, ...]] = {
    "workflow_run": ("workflow_run", "workflow"),
    "repository_dispatch": ("client_payload",),
    "deployment_status": ("deployment_status", "deployment"),
    "deployment_protection_rule": ("deployment_callback_url", "deployment"),
    "deployment_review": ("workflow_run", "since"),
}
