"""The command line. Flags come from the dataclasses of scores, recipes and fits; a fraction is always the share that is
kept. Nothing heavy is imported before names are checked.
"""

import functools
import inspect
import logging
import os
import sys
from collections.abc import Callable, Sequence

import tyro
from tqdm.contrib.logging import logging_redirect_tqdm

from .. import __version__
from ..core.registry import unknown
from ..core.team import is_main_process
from ..scores import SCORES
from .bench import bench
from .check import check
from .deepcore import doctor, export, import_, launch
from .diffusion import fit, timestep
from .exchange import export_subset, import_scores
from .factors import factors
from .listing import list_
from .report import report
from .score import merge, record, score_command, verify
from .show import show
from .subset import select, train

__all__ = ["main"]

PREFIXED = ("factors",)
"""The commands with two sets of settings that share names, of which one has a prefix: --proxy.net."""

_flat = tyro.conf.configure(tyro.conf.OmitArgPrefixes)


def main(args: Sequence[str] | None = None) -> None:
    """The entry point. An error that the user can mend is printed as one message, without a traceback."""
    arguments = list(sys.argv[1:] if args is None else args)
    if arguments == ["--version"]:
        print(f"drd-plugin {__version__}")
        return
    logging.basicConfig(format="%(message)s")
    logging.getLogger("drd_plugin").setLevel(logging.INFO if is_main_process() else logging.WARNING)
    try:
        with logging_redirect_tqdm():
            _run(arguments)
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"drd-plugin: {error}")
    except SystemExit as stopped:
        if stopped.code != 2 or arguments[:1] == ["deepcore"]:  # its script has exit codes of its own
            raise
        sys.exit("drd-plugin: this command line cannot be read, as said above.")
    except KeyboardInterrupt:
        print(
            "\ndrd-plugin: stopped; bench, record and score go on when run again, and fit from its last checkpoint.",
            file=sys.stderr,
        )
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has had enough, `head` for one
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        sys.exit(f"drd-plugin: {error}")


def _run(arguments: list[str]) -> None:
    """Runs the command that the arguments name."""
    commands: dict[str, Callable[..., None]] = {
        "list": list_,
        "bench": bench,
        "check": check,
        "score": score_command(),
        "record": record,
        "merge": merge,
        "verify": verify,
        "select": select,
        "train": train,
        "timestep": timestep,
        "fit": fit,
        "factors": factors,
        "show": show,
        "report": report,
        "import-scores": import_scores,
        "export-subset": export_subset,
        "deepcore": launch,
        "deepcore-export": export,
        "deepcore-import": import_,
        "doctor": doctor,
    }
    command, rest = arguments[:1], arguments[1:]
    if command == ["deepcore"]:
        own = rest.index("--") if "--" in rest else len(rest)
        commands["deepcore"] = functools.partial(launch, arguments=tuple(rest[own + 1 :]))
        arguments = [*command, *rest[:own]]
        if foreign := _foreign(arguments):
            raise ValueError(f"the script's own arguments ({foreign[0]}, ...) go behind `--`.")
    if command == ["score"] and rest:
        if rest[0].startswith("--") and rest[0] != "--help":
            raise ValueError(f"the score comes first: drd-plugin score NAME {rest[0]} ...; {', '.join(SCORES)}.")
        if rest[0] not in {*SCORES, "-h", "--help"}:
            raise unknown("score", rest[0], SCORES)
    tyro.extras.subcommand_cli_from_dict(
        {name: function if name in PREFIXED else _flat(function) for name, function in commands.items()},
        prog="drd-plugin",
        description="Core-set selection: DRD and its baselines on one harness.",
        args=arguments,
    )


def _foreign(arguments: Sequence[str]) -> list[str]:
    """The flags that the command `deepcore` does not have."""
    own = {"help", *inspect.signature(launch).parameters}
    flags = (flag for flag in arguments if flag.startswith("--"))
    return [flag for flag in flags if flag[2:].split("=")[0].replace("-", "_") not in own]
