"""`registrar token create | list | revoke`: who may ask by the API."""

import re
from datetime import datetime, timedelta
from typing import Any

import click

from registrar.cli import formatting, params
from registrar.cli.context import Context, local_user
from registrar.config.key_generation import new_token
from registrar.errors import UserError
from registrar.ledger import tokens
from registrar.ledger.engine import now
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
    """Make, list and revoke tokens for the API. The journal says who did: registrar audit export.

    \b
    registrar token create dashboard --role viewer
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
    if person is not None:
        _check_person(context, person, role, at)
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


@token.command("list")
@formatting.as_json
@click.pass_obj
def list_tokens(context: Context, as_json: bool) -> None:
    """List tokens, newest first, and never the secret itself.

    \b
    registrar token list
    """
    with context.ledger() as ledger, ledger.read() as connection:
        found = [_token_as_json(each, now()) for each in tokens.all_tokens(connection)]
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
    """Make a token worthless, for good, within seconds.

    \b
    registrar token revoke dashboard
    """
    at = now()
    with context.ledger() as ledger, ledger.write() as connection:
        found = tokens.revoke(connection, name, local_user(), at=at)
    if as_json:
        formatting.print_json(_token_as_json(found, at))
    else:
        click.echo(f"{name} is revoked since {formatting.text(found.revoked_at)}")


def _check_person(context: Context, person: str, role: Role, at: datetime) -> None:
    policy = context.policy()
    if person not in policy.people:
        near = did_you_mean(person, policy.people)
        raise NoSuchPerson(f"{person} is not in people of registrar.yml{near}; without --person it is a machine's")
    own = policy.role(person, at=at)
    if own is None:
        raise NoSuchPerson(f"{person} may not use pages and API: add them to `access` in registrar.yml first")
    if lesser(own, role) != role:
        raise NoSuchPerson(
            f"{person} is {own} by registrar.yml, and a person's token never may more than the person: give it "
            f"--role {own}, or add {person} to access.{role}s first"
        )


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
