"""Reads which commands a module offers from its source: their names and first lines of help, nothing imported."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.abc import InspectLoader
from importlib.util import find_spec

_DECORATORS = ("click.command", "click.group")


@dataclass(frozen=True)
class Line:
    """One command of `registrar --help`."""

    name: str
    help: str
    module: str


def outline(module: str) -> list[Line]:
    """The decorated functions of a module; none where it is not installed or has no source."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return []
    if spec is None or not isinstance(spec.loader, InspectLoader):
        return []
    source = spec.loader.get_source(module)
    return [Line(name, text, module) for name, text in _commands(ast.parse(source or ""))]


def _commands(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            for decorator in function.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in _DECORATORS:
                    yield _name(function, decorator), (ast.get_docstring(function) or "").partition("\n")[0]


def _name(function: ast.FunctionDef, decorator: ast.Call) -> str:
    """The decorator's first argument, else the function's name as click spells it."""
    if decorator.args and isinstance(first := decorator.args[0], ast.Constant):
        return str(first.value)
    return function.name.removesuffix("_command").replace("_", "-")
