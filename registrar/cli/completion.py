"""`registrar completion`: what makes a shell complete commands, options and names. candidates.py finds the names."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "fish", "zsh")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, models, versions and people.

    \b
    eval "$(registrar completion bash)"     # now; for always, put this line into ~/.bashrc
    eval "$(registrar completion zsh)"      # the same for ~/.zshrc
    registrar completion fish > ~/.config/fish/completions/registrar.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "registrar", "_REGISTRAR_COMPLETE").source())
