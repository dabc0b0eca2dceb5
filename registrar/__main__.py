"""`python -m registrar`: the command line, where the console script is not on the PATH."""

from registrar.cli import main

main(prog_name="registrar")
