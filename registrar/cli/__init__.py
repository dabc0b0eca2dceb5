"""The command line: `registrar --data FOLDER COMMAND`.

A file in this folder, or an entry point of the group "registrar.commands", is a plug-in: a module with
`commands: list[click.Command]`, each of them a function decorated with @click.command or @click.group and a
docstring that begins with one line of help. @click.pass_obj gives a command what all share (context.py); show.py
prints. A module is imported when one of its commands is used, and no sooner: it may import what it
likes. What a person can mend is raised as a registrar.problem.Problem and shown without a traceback.
"""

import importlib
from pathlib import Path

import click

from registrar.cli.catalogue import Catalogue


@click.group(cls=Catalogue, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".registrar"),
    envvar="REGISTRAR_DATA",
    show_default=True,
    show_envvar=True,
    help="The folder of `registrar up`; other commands find the parts by it.",
)
@click.version_option(package_name="mlflow-registrar", prog_name="registrar")
@click.pass_context
def main(context: click.Context, data: Path) -> None:
    """Signed webhooks in, safe and audited MLflow Model Registry changes out."""
    context.obj = importlib.import_module("registrar.cli.context").Context(data)
