"""Jenkins: the Notification plugin's JSON about a job that ended, with a bearer token (Jenkins signs nothing).

https://plugins.jenkins.io/notification/ , sent by the HTTP Request plugin or through a proxy that adds the header. A
job that can run `curl` does better with a `standard` source: docs/how-to/ci/jenkins.md.
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
# Neither: UNSTABLE (built, and a test failed), ABORTED, NOT_BUILT.
_WELL = {"SUCCESS": True, "FAILURE": False, "FAILED": False}
_OVER = ("FINALIZED", "FINISHED")  # before version 1.5 of the plugin the latter, with fullUrl and no scm
_JOB = re.compile(r"job/([^/]+)/")
# What Branch Source plugins call a pull or merge request, and where the Git plugin fetches one to.
_PULL_REQUEST = re.compile(r"(?:PR|MR)-(\d+)(?:-head|-merge)?|(?:origin/)?(?:pr|pull|merge-requests)/(\d+)(?:/.*)?")
_ASKED_BY = ("ghprbPullId", "CHANGE_ID", "gitlabMergeRequestIid", "pullRequestId")
# Of the Gerrit Trigger plugin; its other events are about changes that nobody has taken yet, on the branch they go to.
_MERGED_IN_GERRIT = ("change-merged", "ref-updated")


def ended(payload: Any) -> Build:
    about = at(payload, "build")
    if (phase := text(about, "phase")) not in _OVER:
        raise Ignored(f"a job in the phase {clean(phase) or '(none)'}; FINALIZED is taken")
    path, name = _JOB.findall(text(payload, "url")), text(payload, "name")
    full, job = "/".join(map(unquote, path)), unquote(unquote(path[-1])) if path else unquote(name)
    of_branch = job == text(about, "scm", "branch")  # a job of a multibranch project: the folder tells which
    return Build(
        well=build.well(_WELL, text(about, "status"), what="job"),
        branch=_branch(about, job),
        names=(full,) if full and of_branch else (full, name),
        said=f"job {clean(full or name)} failed",
        commit=text(about, "scm", "commit"),
        run_id=text(about, "parameters", "MLFLOW_RUN_ID"),
        url=first(about, "full_url", "fullUrl"),
    )


def _branch(about: Any, job: str) -> str:
    """The Git plugin calls a branch origin/main or refs/remotes/origin/main. A multibranch project's job is called as
    its branch is, whatever that begins with. Raises Ignored for pull requests.
    """
    said = text(about, "scm", "branch")
    branch = said if said == job else build.of_ref(said.removeprefix("refs/remotes/"))
    for candidate in (branch, job):
        if found := _PULL_REQUEST.fullmatch(candidate):
            raise build.pull_request(found[1] or found[2])
    asked = next((value for name in _ASKED_BY if not absent(value := at(about, "parameters", name))), None)
    if asked is not None:
        raise build.pull_request(asked)
    gerrit = text(about, "parameters", "GERRIT_EVENT_TYPE")
    if gerrit and gerrit not in _MERGED_IN_GERRIT:
        raise Ignored(f"a build of a change in Gerrit ({clean(gerrit)}): what is proposed is not merged yet")
    return branch if said == job else branch.removeprefix("origin/")
