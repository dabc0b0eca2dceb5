"""Buildkite: a build that ended. Its meta-data can name the run: `buildkite-agent meta-data set mlflow_run_id ...`.

https://buildkite.com/docs/apis/webhooks/pipelines (choose "Send an HMAC signature")
https://buildkite.com/docs/apis/webhooks/pipelines/build-events : `blocked: true` of a build.finished is no end
"""

from typing import Any

from registrar.text.sanitize import absent
from webhooks.ci import build
from webhooks.ci.build import Build, first
from webhooks.ci.payload import Ignored, at, number, text
from webhooks.ingress.validation import clean

VERIFY = {
    "how": "hmac",
    "header": "x-buildkite-signature",
    "signed": "{timestamp}.{body}",
    "packed": "timestamp={timestamp},signature={signature}",
}
DELIVERY_ID = None
WORKFLOW = "pipeline"
_OUTCOMES = {"passed": True, "failed": False}


def ended(payload: Any) -> Build:
    kind, ended_build = text(payload, "event"), at(payload, "build")
    if kind != "build.finished":
        raise Ignored(f"events of the kind {clean(kind) or '(none)'}")
    if at(ended_build, "blocked") is True:
        raise Ignored("a blocked build, which waits for a person and then goes on")
    pipeline = first(payload, "pipeline.slug", "pipeline.name")
    return Build(
        succeeded=build.succeeded(_OUTCOMES, text(ended_build, "state"), what="build"),
        branch=_branch(ended_build),
        names=(pipeline,),
        summary=f"build {number(ended_build, 'number')} of {clean(pipeline)} {clean(text(ended_build, 'state'))}",
        commit=text(ended_build, "commit"),
        run_id=text(ended_build, "meta_data", "mlflow_run_id"),
        url=text(ended_build, "web_url"),
        at=text(ended_build, "finished_at"),
    )


def _branch(ended_build: Any) -> str:
    """Raises Ignored for pull requests. A fork's branch may be `main`, or OWNER:main."""
    request = at(ended_build, "pull_request")
    if isinstance(request, dict) and not all(map(absent, request.values())):
        raise build.pull_request(request.get("id"))
    if ":" in text(ended_build, "branch"):  # not allowed in a branch of one's own repository
        raise build.fork()
    return build.tag(text(ended_build, "tag")) or text(ended_build, "branch")
