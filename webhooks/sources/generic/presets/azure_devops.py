"""Azure DevOps: a build that ended, by a service hook with Basic authentication (Azure signs nothing).

https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks ("Resource details to send": all)
https://learn.microsoft.com/azure/devops/service-hooks/events#build-completed : resource version 2.0 has `result` and
`sourceVersion`, 1.0 `status` and `sourceGetVersion`. The events of runs and stages have no branch, so they are ignored.
"""

import re
from typing import Any

from webhooks.ci import build
from webhooks.ci.build import Build, first
from webhooks.ci.payload import Ignored, at, text
from webhooks.ingress.validation import clean

VERIFY = {"how": "basic"}
DELIVERY_ID = None
WORKFLOW = "pipeline"
# Ignored: partiallySucceeded (a step with continueOnError failed), canceled, stopped.
_OUTCOMES = {"succeeded": True, "failed": False}
_SHELVED = ("validateshelveset", "checkinshelveset")  # the latter is checked in if the build succeeds
_SOURCE_VERSION = re.compile(r"LG:(refs/[^:]+):([0-9a-f]{40})")


def ended(payload: Any) -> Build:
    kind, resource = text(payload, "eventType"), at(payload, "resource")
    if kind != "build.complete":
        raise Ignored(f'events of the kind {clean(kind) or "(none)"}; only build.complete ("Build completed") counts')
    status = first(resource, "result", "status")
    version = _SOURCE_VERSION.fullmatch(text(resource, "sourceGetVersion"))
    pipeline = text(resource, "definition", "name")
    return Build(
        succeeded=build.succeeded(_OUTCOMES, status, what="build"),
        branch=_branch(resource, text(resource, "sourceBranch") or (version[1] if version else "")),
        names=(pipeline,),
        summary=clean(text(payload, "message", "text"), length=500) or f"a build of {clean(pipeline)} {status}",
        commit=text(resource, "sourceVersion") or (version[2] if version else ""),
        url=text(resource, "_links", "web", "href"),
        at=text(resource, "finishTime"),
    )


def _branch(resource: Any, ref: str) -> str:
    """Raises Ignored for pull requests, whose ref is refs/pull/NUMBER/merge, and for TFVC's shelved changes."""
    trigger = at(resource, "triggerInfo")
    by_request = isinstance(trigger, dict) and any(name.startswith("pr.") for name in trigger)
    if by_request or build.is_of_pull_request(text(resource, "reason")):
        raise build.pull_request(at(trigger, "pr.number"))
    if text(resource, "reason").lower() in _SHELVED:
        raise Ignored("a build of a shelveset, which is not checked in yet")
    return build.branch_of(ref)
