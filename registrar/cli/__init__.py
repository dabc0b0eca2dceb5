"""The command line: `registrar [--data FOLDER | --url URL] COMMAND`.

commands.py lists the commands; each is a function decorated with @click.command or @click.group in a module of this
folder, which is imported when the command is used. Its docstring begins with one line of help and shows how the command
is called. @click.pass_obj gives a command the registrar.cli.context.Context; formatting.py prints. A UserError is shown
without a traceback.

docs/reference/cli.md is generated: python -m tests.cli.manual > docs/reference/cli.md
"""

from pathlib import Path

import click
from click.core import ParameterSource

from registrar.cli.commands import SECTIONS
from registrar.cli.lazy_group import LazyGroup, load


@click.group(cls=LazyGroup, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]})
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
    registrar approve churn 3
    registrar --url https://registrar.example.com --token-file ~/.registrar-token promotions list

    Exit codes: 0 done; 1 refused, failed, or not there; 2 not understood, or set up wrongly; 3 nobody answers. Where a
    command has others, its help says so. Each command: registrar COMMAND --help.
    """
    named = context.get_parameter_source("url") is ParameterSource.COMMANDLINE
    context.obj = load("registrar.cli.context:Context")(data, url, token_file, named)  # it imports SQLAlchemy
