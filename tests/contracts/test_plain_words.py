"""No name that a reader must guess, no function longer than a screen, nothing public without a docstring."""

import ast
from pathlib import Path

import drd_plugin

# Little words that name nothing by themselves. A TOML setting keeps its name: `shown`, in an experiment's comparison.
FILLER = {
    "of",
    "what",
    "made",
    "said",
    "found",
    "known",
    "told",
    "apart",
    "us",
    "on",
    "here",
    "there",
    "given",
    "asked",
    "wanted",
    "now",
    "kept",
    "seen",
    "drawn",
    "taken",
    "had",
    "shown",
    "left",
    "gone",
    "done",
    "put",
    "whole",
    "once",
    "ever",
}
SETTINGS = {"shown"}
# In lines, without the docstring: what is longer does not fit on a screen.
LONGEST_FUNCTION = 50

PACKAGE = Path(drd_plugin.__file__).parent
TREES = {path.relative_to(PACKAGE): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def names_in(tree):
    """The names that a module gives, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


def test_no_name_is_a_filler_word():
    filler = [
        f"{path}:{line} {name}"
        for path, tree in TREES.items()
        for name, line in names_in(tree)
        if name.strip("_").lower() in FILLER - SETTINGS
    ]
    assert not filler, filler


def lines_of(function):
    """The lines of a function without its docstring."""
    docstring = function.body[0] if ast.get_docstring(function) else None
    spent = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
    return function.end_lineno - function.lineno + 1 - spent


def test_no_function_is_longer_than_a_screen():
    lengths = {
        f"{path}:{node.lineno} {node.name}": lines_of(node)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, FUNCTIONS)
    }
    assert len(lengths) > 1000  # the trees were read at all
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION}


def test_every_public_function_and_class_says_what_it_does():
    silent = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in TREES.items()
        for node in tree.body
        if isinstance(node, (*FUNCTIONS, ast.ClassDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and "overload" not in {ast.unparse(mark) for mark in node.decorator_list}
    ]
    assert not silent, silent
