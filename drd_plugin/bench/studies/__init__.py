"""The studies by name: what can be done with a grid."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from ...core.registry import Registry, unknown
from .base import Results, Study
from .budgets import EqualBudgets
from .comparison import Comparison
from .cross_evaluation import CrossEvaluation
from .noise import Noise
from .separation import Separation
from .stability import Stability
from .windows import Windows

__all__ = ["STUDIES", "Results", "Study", "study_from", "with_settings"]

STUDIES: Registry[type[Study]] = Registry(
    "study",
    "drd_plugin.studies",
    {kind.name: kind for kind in (Comparison, CrossEvaluation, EqualBudgets, Noise, Separation, Stability, Windows)},
)


def study_from(content: Mapping[str, Any], file: str) -> Study:
    """A study from the table `study` of a TOML file: its `name`, and its settings.

    Arguments:
        content: The table.
        file: The file, for messages.

    Raises:
        UnknownName: If the study or a setting is not known.
    """
    kind = STUDIES[content.get("name", "comparison")]
    return with_settings(kind(), {key: value for key, value in content.items() if key != "name"}, file)


def with_settings(study: Study, settings: Mapping[str, Any], file: str) -> Study:
    """The study with some of its settings changed; lists become tuples.

    Raises:
        UnknownName: If a setting is not known.
    """
    names = {f.name for f in fields(study)}
    for key in settings:
        if key not in names:
            raise unknown(f"setting of the study in {file}", key, names)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    return replace(study, **values)
