"""Jenkins: the Notification plugin's JSON about a job that ended, with a bearer token (Jenkins signs nothing).

https://plugins.jenkins.io/notification/ , sent by the HTTP Request plugin or through a proxy that adds the header. For
a job that can run `curl` a `standard` source is better: docs/how-to/ci/jenkins.md.
"""

import re
from typing import Any
from urllib.parse import unquote

from registrar.text.sanitize import absent
from webhooks.ci import build
from webhooks.ci.build import Build, first
from webhooks.ci.payload import Ignored, at, text
from webhooks.ingress.validation import clean

VERIFY = {"how": "bearer"}
DELIVERY_ID = None
WORKFLOW = "job"
# Ignored: UNSTABLE (built, but a test failed), ABORTED, NOT_BUILT.
_OUTCOMES = {"SUCCESS": True, "FAILURE": False, "FAILED": False}
_FINISHED = ("FINALIZED", "FINISHED")  # the latter before version 1.5 of the plugin, with fullUrl and no scm
_JOB = re.compile(r"job/([^/]+)/")
# The names of pull and merge requests in Branch Source plugins, and their branches in the Git plugin.
_PULL_REQUEST = re.compile(r"(?:PR|MR)-(\d+)(?:-head|-merge)?|(?:origin/)?(?:pr|pull|merge-requests)/(\d+)(?:/.*)?")
_REQUEST_PARAMETERS = ("ghprbPullId", "CHANGE_ID", "gitlabMergeRequestIid", "pullRequestId")
# Events of the Gerrit Trigger plugin; the others are of changes that are not merged yet, with the target's branch.
_MERGED_IN_GERRIT = ("change-merged", "ref-updated")


def ended(payload: Any) -> Build:
    ended_build = at(payload, "build")
    if (phase := text(ended_build, "phase")) not in _FINISHED:
        raise Ignored(f"a job in the phase {clean(phase) or '(none)'}; only FINALIZED counts")
    path, name = _JOB.findall(text(payload, "url")), text(payload, "name")
    full, job = "/".join(map(unquote, path)), unquote(unquote(path[-1])) if path else unquote(name)
    is_branch_job = job == text(ended_build, "scm", "branch")  # in a multibranch project, whose name is the folder
    return Build(
        succeeded=build.succeeded(_OUTCOMES, text(ended_build, "status"), what="job"),
        branch=_branch(ended_build, job),
        names=(full,) if full and is_branch_job else (full, name),
        summary=f"job {clean(full or name)} failed",
        commit=text(ended_build, "scm", "commit"),
        run_id=text(ended_build, "parameters", "MLFLOW_RUN_ID"),
        url=first(ended_build, "full_url", "fullUrl"),
    )


def _branch(ended_build: Any, job: str) -> str:
    """Return the branch, without the Git plugin's origin/ or refs/remotes/origin/. A multibranch project's job has the
    name of its branch, which may begin like that itself. Raises Ignored for pull requests.
    """
    sent = text(ended_build, "scm", "branch")
    branch = sent if sent == job else build.branch_of(sent.removeprefix("refs/remotes/"))
    for candidate in (branch, job):
        if match := _PULL_REQUEST.fullmatch(candidate):
            raise build.pull_request(match[1] or match[2])
    request = next(
        (value for name in _REQUEST_PARAMETERS if not absent(value := at(ended_build, "parameters", name))), None
    )
    if request is not None:
        raise build.pull_request(request)
    gerrit = text(ended_build, "parameters", "GERRIT_EVENT_TYPE")
    if gerrit and gerrit not in _MERGED_IN_GERRIT:
        raise Ignored(f"a build of a change in Gerrit ({clean(gerrit)}), which is not merged yet")
    return branch if sent == job else branch.removeprefix("origin/")
