"""The command line: `registrar [--data FOLDER | --url URL] COMMAND`.

A file in this folder, or an entry point of the group "registrar.commands", is a plug-in: a module with
`commands: list[click.Command]`, each of them a function decorated with @click.command or @click.group and a
docstring that begins with one line of help, and shows how it is called. @click.pass_obj gives a command what all share
(context.py); show.py prints. A module is imported when one of its commands is used, and no sooner: it may import what
it likes. What a person can mend is raised as a registrar.errors.Problem and shown without a traceback.

docs/cli.md is made of all of this: python -m tests.cli.manual > docs/cli.md
"""

import importlib
from pathlib import Path

import click
from click.core import ParameterSource

from registrar.cli.lazy_group import LazyGroup


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".registrar"),
    envvar="REGISTRAR_DATA",
    show_default=True,
    show_envvar=True,
    help="The folder of `registrar up`; other commands find the parts by it.",
)
@click.option(
    "--url",
    metavar="URL",
    envvar="REGISTRAR_URL",
    show_envvar=True,
    help="A receiver elsewhere, to ask in place of the parts here: https://registrar.example.com.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    envvar="REGISTRAR_TOKEN_FILE",
    show_envvar=True,
    help="Holds the token to ask with, of `registrar token create`; or set REGISTRAR_TOKEN.",
)
@click.version_option(package_name="mlflow-registrar", prog_name="registrar")
@click.pass_context
def main(context: click.Context, data: Path, url: str | None, token_file: Path | None) -> None:
    """Signed webhooks in, safe and audited MLflow Model Registry changes out.

    \b
    registrar up                                 # all parts on this machine
    registrar overview                           # what waits for whom
    registrar promotions approve churn 3
    registrar --url https://registrar.example.com --token-file ~/.registrar-token promotions list

    Exit codes: 0 done; 1 refused, failed, or not there; 2 not understood, or set up wrongly; 3 nobody answers. Where a
    command has others, its help says so. Each command: registrar COMMAND --help.
    """
    named = context.get_parameter_source("url") is ParameterSource.COMMANDLINE
    shared = importlib.import_module("registrar.cli.context")
    context.obj = shared.Context(data, url, token_file, named)
