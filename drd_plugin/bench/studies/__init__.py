"""Studies: what can be done with a grid."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from ...core.registry import UnknownName, unknown
from ..kinds import TABLE, TEXT, GridError
from ..names import STUDIES
from .base import Results, Study

__all__ = ["STUDIES", "Results", "Study", "study_from", "with_settings"]


def study_from(content: Mapping[str, Any], file: str) -> Study:
    """A study from the table `study` of a TOML file: its `name`, and its settings.

    Arguments:
        content: The table.
        file: The file, for messages.

    Raises:
        GridError: If it is no table, or a setting has a value of the wrong kind.
        UnknownName: If the study or a setting is not known.
    """
    TABLE.check(content, f"{file}: study")
    TEXT.check(content.get("name", ""), f"{file}: study.name")
    kind = STUDIES[content.get("name", "comparison")]
    return with_settings(kind(), {key: value for key, value in content.items() if key != "name"}, file)


def with_settings(study: Study, settings: Mapping[str, Any], file: str) -> Study:
    """The study with some of its settings changed; lists become tuples.

    Raises:
        GridError: If a setting has a value of the wrong kind.
        UnknownName: If a setting is not known.
    """
    names = {f.name for f in fields(study)}
    for key in settings:
        if key not in names:
            raise unknown(f"setting of the study in {file}", key, names)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    try:
        return replace(study, **values)
    except UnknownName:
        raise
    except ValueError as error:
        raise GridError(f"{file}: {error}") from error
