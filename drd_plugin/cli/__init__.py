"""The command line. Flags come from the dataclasses of scores, recipes and fits; a fraction is always the share that is
kept.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence

import tyro

from .. import __version__
from ..registry import unknown
from ..scores import SCORES
from .bench import bench
from .deepcore import doctor, export, import_, launch
from .diffusion import fit, timestep
from .exchange import export_subset, import_scores
from .factors import factors
from .listing import list_, show
from .report import report
from .score import merge, record, score_command, verify
from .subset import select, train

__all__ = ["main"]

PREFIXED = ("factors",)
"""The commands with two sets of settings that share names, of which one has a prefix: --proxy.net."""

_flat = tyro.conf.configure(tyro.conf.OmitArgPrefixes)


def _foreign(given: Sequence[str]) -> list[str]:
    """The flags that are none of the launcher's."""
    own = {"help", *inspect.signature(launch).parameters}
    flags = (flag for flag in given if flag.startswith("--"))
    return [flag for flag in flags if flag[2:].split("=")[0].replace("-", "_") not in own]


def main(args: Sequence[str] | None = None) -> None:
    """The entry point; errors that the user can mend are one message, without a traceback."""
    commands: dict[str, Callable[..., None]] = {
        "list": list_,
        "bench": bench,
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
    given = list(sys.argv[1:] if args is None else args)
    if given == ["--version"]:
        print(f"drd-plugin {__version__}")
        return
    if given[:1] == ["deepcore"] and "--" in given:
        own = given.index("--")
        commands["deepcore"], given = functools.partial(launch, arguments=tuple(given[own + 1 :])), given[:own]
    try:
        if given[:1] == ["deepcore"] and _foreign(given):
            raise ValueError(f"the script's own arguments ({_foreign(given)[0]}, ...) go behind `--`.")
        if given[:1] == ["score"] and given[1:] and given[1].startswith("--") and given[1] != "--help":
            raise ValueError(f"the score comes first: drd-plugin score NAME {given[1]} ...; {', '.join(SCORES)}.")
        if given[:1] == ["score"] and given[1:] and given[1] not in {*SCORES, "-h", "--help"}:
            raise unknown("score", given[1], SCORES)
        tyro.extras.subcommand_cli_from_dict(
            {name: command if name in PREFIXED else _flat(command) for name, command in commands.items()},
            prog="drd-plugin",
            description="Core-set selection: DRD and its baselines on one harness.",
            args=given,
        )
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"drd-plugin: {error}")
    except KeyboardInterrupt:
        print("\ndrd-plugin: stopped; bench, record and score go on when run again.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has had enough, `head` for one
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        sys.exit(f"drd-plugin: {error}")
