"""Azure DevOps: a build that ended, by a service hook with Basic authentication (Azure signs nothing).

https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks ("Resource details to send": all)
https://learn.microsoft.com/azure/devops/service-hooks/events#build-completed : resource version 2.0 has `result` and
`sourceVersion`, 1.0 `status` and `sourceGetVersion`. A run's or a stage's state names no branch, so it is not taken.
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
# Neither: partiallySucceeded (a step with continueOnError failed), canceled, stopped.
_WELL = {"succeeded": True, "failed": False}
_SHELVED = ("validateshelveset", "checkinshelveset")  # the latter is checked in where the build goes well
_FETCHED = re.compile(r"LG:(refs/[^:]+):([0-9a-f]{40})")


def ended(payload: Any) -> Build:
    kind, about = text(payload, "eventType"), at(payload, "resource")
    if kind != "build.complete":
        raise Ignored(f'events of the kind {clean(kind) or "(none)"}; build.complete ("Build completed") is taken')
    status = first(about, "result", "status")
    fetched = _FETCHED.fullmatch(text(about, "sourceGetVersion"))
    pipeline = text(about, "definition", "name")
    return Build(
        well=build.well(_WELL, status, what="build"),
        branch=_branch(about, text(about, "sourceBranch") or (fetched[1] if fetched else "")),
        names=(pipeline,),
        said=clean(text(payload, "message", "text"), length=500) or f"a build of {clean(pipeline)} {status}",
        commit=text(about, "sourceVersion") or (fetched[2] if fetched else ""),
        url=text(about, "_links", "web", "href"),
        at=text(about, "finishTime"),
    )


def _branch(about: Any, ref: str) -> str:
    """Raises Ignored for pull requests, whose ref is refs/pull/NUMBER/merge, and for TFVC's shelved changes."""
    trigger = at(about, "triggerInfo")
    asked = isinstance(trigger, dict) and any(name.startswith("pr.") for name in trigger)
    if asked or build.proposed(text(about, "reason")):
        raise build.pull_request(at(trigger, "pr.number"))
    if text(about, "reason").lower() in _SHELVED:
        raise Ignored("a build of a shelveset: what is proposed is not checked in yet")
    return build.of_ref(ref)
