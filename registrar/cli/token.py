"""`registrar token create | link | list | revoke`: who may ask by the API, and who signs in by a link."""

import re
from datetime import datetime, timedelta
from typing import Any

import click

from registrar.cli import formatting, params
from registrar.cli.context import Context, local_user
from registrar.config.key_generation import new_link_code, new_token
from registrar.errors import UserError
from registrar.http.safe_url import at_loopback
from registrar.ledger import sign_in_links, tokens
from registrar.ledger.engine import now
from registrar.ledger.sign_in_links import SignInLink
from registrar.ledger.tokens import Token
from registrar.policy.access import ROLES, Role, lesser
from registrar.text.duration import PATTERN, length
from registrar.text.wording import did_you_mean

COLUMNS = ("name", "state", "role", "acts_as", "created_at", "expires_at", "used_at")
NEVER = "never"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class NoSuchPerson(UserError):
    """registrar.yml knows nobody of that id, or gives them less than the token would."""

    exit_code = 2


class NoSession(UserError):
    """Browsers keep a session's cookie only over TLS, or on the receiver's own machine."""

    exit_code = 2


class Name(click.ParamType[str]):
    """A name in the form of registrar.yml's people and groups."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not _NAME.fullmatch(text):
            self.fail(f"{text!r} is no name such as ci-dashboard: letters, digits, - and _, at most 64", param, ctx)
        return text


class Lasting(click.ParamType[timedelta | None]):
    """90d, as registrar.yml writes lengths of time, or never."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta | None:
        if isinstance(value, timedelta) or value == NEVER:
            return None if value == NEVER else value
        if not PATTERN.match(value):
            self.fail(f"{value!r} is no length of time such as 90d, nor never", param, ctx)
        return length(value)


@click.group()
def token() -> None:
    """Make, list and revoke API tokens and sign-in links. The journal says who did: registrar audit export.

    \b
    registrar token create dashboard --role viewer
    registrar token link --person ada
    """


@token.command()
@click.argument("name", type=Name())
@click.option("--role", type=click.Choice(ROLES), required=True, help="Each includes those before it.")
@click.option(
    "--person",
    type=params.PERSON,
    metavar="ID",
    help="Of registrar.yml, as whom it acts; else as token:NAME, a machine.",
)
@click.option("--expires", type=Lasting(), default="90d", show_default=True, help="After so long, or never.")
@formatting.as_json
@click.pass_obj
def create(
    context: Context, *, name: str, role: Role, person: str | None, expires: timedelta | None, as_json: bool
) -> None:
    """Make a token and print it, once: it is kept nowhere.

    \b
    TOKEN=$(registrar token create dashboard --role viewer --expires 30d)
    curl -H "Authorization: Bearer $TOKEN" https://registrar.example.com/v1/events

    A person's token never may more than the person: see `access` in registrar.yml. A machine's votes count for nobody.
    """
    at = now()
    if person is not None and lesser(own := _role_of(context, person, at), role) != role:
        raise NoSuchPerson(
            f"{person} is {own} by registrar.yml, and a person's token never may more than the person: give it "
            f"--role {own}, or add {person} to access.{role}s first"
        )
    secret = new_token()
    made = Token(name, tokens.digest(secret), role, person, at, at + expires if expires else None)
    with context.ledger() as ledger, ledger.write() as connection:
        tokens.create(connection, made, local_user())
    if as_json:
        formatting.print_json({**_token_as_json(made, at), "token": secret})
        return
    until = f"until {formatting.text(made.expires_at)}" if made.expires_at else "for ever"
    click.echo(secret)
    click.echo(f"{name} is {role}, as {_acts_as(made)}, {until}. It is shown this once; keep it safe.", err=True)


@token.command()
@click.option("--person", type=params.PERSON, metavar="ID", required=True, help="Of registrar.yml, who signs in by it.")
@click.option("--minutes", type=click.IntRange(1, 60), default=15, show_default=True, help="So long it can be used.")
@formatting.as_json
@click.pass_obj
def link(context: Context, *, person: str, minutes: int, as_json: bool) -> None:
    """Make a link that signs a person in at the pages, once, and print it: it is kept nowhere.

    \b
    registrar token link --person ada

    Give it to that person alone: who uses it is they, with the role that registrar.yml gives them at each
    moment, for twelve hours at most. What a chat or a mail program opens by itself uses no link up. `registrar token
    revoke NAME` ends the link, or the session that it began.
    """
    at, base = now(), _address(context)
    role, code = _role_of(context, person, at), new_link_code()
    made = sign_in_links.new_link(code, person, at=at, lasts=timedelta(minutes=minutes))
    with context.ledger() as ledger, ledger.write() as connection:
        sign_in_links.create(connection, made, local_user())
    # Behind a #, so that no browser sends the code with the address: no log and no Referer has it.
    url = f"{base}/signin/link#{code}"
    if as_json:
        formatting.print_json({**_link_as_json(made, at), "link": url})
        return
    where = "; on this machine alone, since no other has the address" if at_loopback(base) else ""
    click.echo(url)
    click.echo(
        f"{made.name} signs {person} in as {role}, once, until {formatting.text(made.expires_at)}{where}. It is shown "
        f"this once; give it to {person} alone.",
        err=True,
    )


@token.command("list")
@formatting.as_json
@click.pass_obj
def list_tokens(context: Context, as_json: bool) -> None:
    """List tokens and links with their sessions, newest first, and never the secret itself.

    \b
    registrar token list
    """
    at = now()
    with context.ledger() as ledger, ledger.read() as connection:
        found = [_token_as_json(each, at) for each in tokens.all_tokens(connection)]
        found += [_link_as_json(each, at) for each in sign_in_links.all_links(connection)]
    found.sort(key=lambda row: row["created_at"], reverse=True)
    if as_json:
        formatting.print_json(found)
    else:
        formatting.table(
            COLUMNS, formatting.pick(found, COLUMNS), empty="there are no tokens; registrar token create makes one"
        )


@token.command()
@click.argument("name")
@formatting.as_json
@click.pass_obj
def revoke(context: Context, name: str, as_json: bool) -> None:
    """Make a token, or a link with the session that it began, worthless, for good, within seconds.

    \b
    registrar token revoke dashboard
    registrar token revoke link:5d01e8b2c94f
    """
    at = now()
    with context.ledger() as ledger, ledger.write() as connection:
        if name.startswith(sign_in_links.PREFIX):
            shown = _link_as_json(sign_in_links.end(connection, name, local_user(), at=at), at)
        else:
            shown = _token_as_json(tokens.revoke(connection, name, local_user(), at=at), at)
    if as_json:
        formatting.print_json(shown)
    else:
        click.echo(f"{name} is revoked since {formatting.text(shown['revoked_at'])}")


def _address(context: Context) -> str:
    """Return the address of the pages for browsers. Raises NoSession where it keeps no session."""
    settings = context.settings()
    base = (settings.public_url or settings.local_url).rstrip("/")
    if not base.startswith("https://") and not at_loopback(base):
        raise NoSession(
            f"browsers keep no session at {base}, which is not https: put a proxy with TLS before the receiver, and "
            "set REGISTRAR_PUBLIC_URL to its address"
        )
    return base


def _role_of(context: Context, person: str, at: datetime) -> Role:
    """Return the role that registrar.yml gives a person. Raises NoSuchPerson."""
    policy = context.policy()
    if person not in policy.people:
        near = did_you_mean(person, policy.people)
        raise NoSuchPerson(f"{person} is not in people of registrar.yml{near}")
    own = policy.role(person, at=at)
    if own is None:
        raise NoSuchPerson(f"{person} may not use pages and API: add them to `access` in registrar.yml first")
    return own


def _acts_as(made: Token) -> str:
    return made.person or f"token:{made.name}"


def _token_as_json(made: Token, at: datetime) -> dict[str, Any]:
    return {
        "name": made.name,
        "state": made.state(at),
        "role": made.role,
        "acts_as": _acts_as(made),
        "created_at": made.created_at,
        "expires_at": made.expires_at,
        "used_at": made.used_at,
        "revoked_at": made.revoked_at,
    }


def _link_as_json(made: SignInLink, at: datetime) -> dict[str, Any]:
    """Return a link with the fields of a token; its role is the person's at each moment."""
    return {
        "name": made.name,
        "state": made.state(at),
        "role": None,
        "acts_as": made.person,
        "created_at": made.created_at,
        "expires_at": made.expires_at,
        "used_at": made.used_at,
        "revoked_at": made.ended_at,
    }
