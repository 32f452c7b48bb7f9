"""Running an unmodified DeepCore script with this library's methods registered."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.registry import UnknownName
from .compat import repaired
from .host import deepcore, methods_of
from .methods import method_class
from .options import VARIABLE, configure, read_options

__all__ = ["run_script"]


def run_script(
    script: Path,
    arguments: Sequence[str],
    config: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    repairs: Sequence[str] = (),
) -> None:
    """Runs a script as `python SCRIPT ARGUMENTS` would, with DeepCore's checkout first on the path.

    Arguments:
        script: DeepCore's main.py, or another script in its folder.
        arguments: The script's arguments. Its `--selection` may have settings in brackets.
        config: A TOML file with a table of options for each selection.
        settings: Options of the selection that the arguments name.
        repairs: The repairs to apply, by name.

    Raises:
        FileNotFoundError: If there is no such script.
        SystemExit: If the script fails; its traceback is printed.
        UnknownName: If an option, a method or a repair is unknown.
        ValueError: If there are settings but no selection, or the selection cannot be a file's name.
    """
    script = Path(script).resolve()
    if not script.is_file():
        raise FileNotFoundError(f"there is no script {script}: give DeepCore's main.py.")
    sys.path.insert(0, str(script.parent))
    if config is not None:
        read_options(config)
        os.environ[VARIABLE] = str(config)
    _register(_value(arguments, "--selection"), settings)
    sys.argv = [str(script), *arguments]
    try:
        with repaired(repairs):
            runpy.run_path(str(script), run_name="__main__")
    except Exception as error:
        if _raised_by_library(error):
            raise
        traceback.print_exc()
        if not repairs:
            hint = "some of DeepCore fails on today's packages: `drd-plugin doctor` says what, and --compat repairs it."
            print(f"\ndrd-plugin: {hint}", file=sys.stderr)
        sys.exit(1)


def _register(selection: str | None, settings: Mapping[str, Any] | None) -> None:
    """Puts the method of a script's `--selection` among DeepCore's, with its options.

    Raises:
        UnknownName: If an option is unknown.
        ValueError: If there are settings but no selection, or the selection is unknown or cannot be a file's name.
    """
    methods = deepcore("methods")
    if selection is None and settings:
        raise ValueError("settings are those of a selection: add --selection NAME to the script's arguments.")
    if selection is not None and selection not in vars(methods):
        if "/" in selection:
            raise ValueError(f"{selection} has a slash, and DeepCore makes file names of it: give --settings instead.")
        try:
            setattr(methods, selection, method_class(selection, methods.CoresetMethod))
        except UnknownName as error:
            raise ValueError(f"{error} DeepCore's own: {', '.join(sorted(methods_of(methods)))}.") from None
    if settings and selection is not None:
        if selection in methods_of(methods):
            raise ValueError(f"{selection} is DeepCore's own method, whose options are flags of the script.")
        configure(selection, **settings)


def _raised_by_library(error: Exception) -> bool:
    """Whether this library raised the error, so that its message is enough; other errors need their traceback."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    return str(innermost.f_globals.get("__name__")).startswith("drd_plugin")


def _value(arguments: Sequence[str], flag: str) -> str | None:
    """The value of a flag, given as `--flag value` or `--flag=value`."""
    for i, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == flag:
            return value if equals else next(iter(arguments[i + 1 :]), None)
    return None
