"""worker.answer_github_protection_rule, when a promotion ends: approve or reject the deployment that waits for it.

https://docs.github.com/rest/actions/workflow-runs#review-custom-deployment-protection-rules-for-a-workflow-run
https://docs.github.com/actions/how-tos/deploy/configure-and-manage-deployments/create-custom-protection-rules
"""

import re
from typing import Any

from registrar.config.encryption import REPLY, DecryptionError
from registrar.events.outcome import Outcome
from registrar.policy import Source
from registrar.policy.routes import Channel
from worker.notifications import commit_status
from worker.notifications.transport import code_hosts, github_app, safe_session
from worker.registry.protocol import PermanentError
from worker.task_context import TaskContext

_HINTS = {
    401: "the token in the secret of the channel options.answer_by is wrong",
    403: "the app of the channel options.answer_by needs Deployments, read and write",
    404: "the app of the channel options.answer_by is not the one that the environment's protection rule belongs to",
    422: "the run no longer waits there: it was answered, or cancelled, or has ended",
}


def act(context: TaskContext) -> Outcome:
    address, source = _address(context), _source(context)
    name, channel = _channel(context, source)
    root, url = code_hosts.github_root(context.secret(channel.url)), str(address["url"])
    # The token is only sent to its own API, and there only to the run that asked.
    if not re.fullmatch(
        rf"{re.escape(root)}/repos/[\w.-]+/[\w.-]+/actions/runs/[0-9]+/deployment_protection_rule", url
    ):
        raise PermanentError(
            f"the address for the answer does not belong to the API of channel {name!r}; check the channel's url"
        )
    review = {
        "environment_name": address["environment"],
        "state": context.param("state"),
        "comment": commit_status.markdown_line(str(context.param("text"))),
    }
    secret = context.secret(channel.secret)
    granted = github_app.Access.model_validate({key: channel.options.get(key) for key in ("app_id", "installation_id")})
    token = github_app.token(secret, granted, context.http, root=root)
    with safe_session.session(url, own={code_hosts.GITHUB_HOST}, listed=source.reply_to) as http:
        code_hosts.post_github(http, url, review, token=token, hints=_HINTS)
    return Outcome(f"the deployment to {address['environment']!r} was {context.param('state')} at GitHub")


def _address(context: TaskContext) -> dict[str, Any]:
    try:
        return context.encryptor.decrypt(str(context.param("to")), audience=REPLY)
    except DecryptionError as error:
        raise PermanentError(f"the address for the answer can't be read: {error}") from None


def _source(context: TaskContext) -> Source:
    source = context.policy.sources.get(str(context.param("source")))
    if source is None:
        raise PermanentError(f"source {context.param('source')!r} is no longer in registrar.yml; nobody is answered")
    return source


def _channel(context: TaskContext, source: Source) -> tuple[str, Channel]:
    """Return the channel whose token or app sends the answer."""
    name = str(source.options.get("answer_by"))
    channel = context.policy.channels.get(name)
    if channel is None or channel.kind not in ("github", "github_dispatch"):
        raise PermanentError(
            f"channel {name!r}, which the source names in options.answer_by, is no github channel of registrar.yml"
        )
    return name, channel
