"""The glosses of WordNet's synsets, labelled by the lexicographer file that each synset comes from.

A gloss is a definition, sometimes with example sentences; each of the 45 lexicographer files is a part of speech and a
domain ("noun.food", "verb.motion"). The files `data.noun`, `data.verb`, `data.adj` and `data.adv` hold one synset on
each line,

    synset_offset lex_filenum ss_type w_cnt word lex_id ... | gloss

after a header of lines that begin with two spaces.

WordNet 3.0 is copyright 2006 by Princeton University, whose licence permits use, copying, modification and distribution
for any purpose and without fee, if its notice stays (it is the header of each file).

References:
    WordNet: A Lexical Database for English (Miller, 1995), https://doi.org/10.1145/219717.219748
    wndb(5WN), https://wordnet.princeton.edu/documentation/wndb5wn, for the format
    lexnames(5WN), https://wordnet.princeton.edu/documentation/lexnames5wn, for the classes
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .split import DataError, Dataset, stratified
from .text import check_no_size, from_texts, words_of

__all__ = ["CLASSES", "wordnet_glosses"]

DEBIAN_WORDNET = Path("/usr/share/wordnet")
PARTS = {"noun": "n", "verb": "v", "adj": "as", "adv": "r"}
"""The files by part of speech, and the types of synsets in each."""

CLASSES = (
    "adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal", "noun.artifact", "noun.attribute",
    "noun.body", "noun.cognition", "noun.communication", "noun.event", "noun.feeling", "noun.food", "noun.group",
    "noun.location", "noun.motive", "noun.object", "noun.person", "noun.phenomenon", "noun.plant", "noun.possession",
    "noun.process", "noun.quantity", "noun.relation", "noun.shape", "noun.state", "noun.substance", "noun.time",
    "verb.body", "verb.change", "verb.cognition", "verb.communication", "verb.competition", "verb.consumption",
    "verb.contact", "verb.creation", "verb.emotion", "verb.motion", "verb.perception", "verb.possession",
    "verb.social", "verb.stative", "verb.weather", "adj.ppl",
)  # fmt: skip
"""The lexicographer files by number."""

SYNSET = re.compile(r"\d{8} (\d\d) ([nvasr]) [^|]*\| *(.*\w.*)")


def wordnet_glosses(root: Path | None = None, size: int | None = None) -> Dataset:
    """WordNet's glosses in a fixed stratified split: 105,325 training and 11,703 test texts of 45 classes.

    Of glosses with the same words in the same order (see `words_of`), whatever their classes, only the first is used,
    nouns before verbs, adjectives and adverbs; so no text is in both splits, nor twice in one.

    Arguments:
        root: The folder with the four files, or the one that holds them in `dict/`; by default that of Debian's package
            wordnet-base.
        size: None; texts have no size in pixels.

    Raises:
        DataError: If a file is missing or damaged, or a class has fewer than two glosses.
    """
    check_no_size("wordnet_glosses", size)
    folder = _folder(root or DEBIAN_WORDNET)
    first: dict[tuple[str, ...], tuple[str, int]] = {}
    for part in PARTS:
        for gloss, label in _synsets(folder / f"data.{part}", part):
            first.setdefault(tuple(words_of(gloss)), (gloss, label))
    glosses, labels = [gloss for gloss, _ in first.values()], np.array([label for _, label in first.values()])
    _check_classes(folder, labels)
    rest, tenth = stratified(labels, 0.1)
    train = from_texts("wordnet_glosses", [glosses[i] for i in rest], labels[rest], CLASSES)
    test = from_texts("wordnet_glosses", [glosses[i] for i in tenth], labels[tenth], CLASSES, train.vocabulary)
    return Dataset(train, test)


def _folder(root: Path) -> Path:
    names = [f"data.{part}" for part in PARTS]
    for folder in (root, root / "dict"):
        if all((folder / name).is_file() for name in names):
            return folder
    raise DataError(
        f"found no {', '.join(names)} in {root} or {root / 'dict'}: install Debian's package wordnet-base (apt-get "
        "install wordnet-base), or unpack WNdb-3.0.tar.gz of https://wordnet.princeton.edu and give its folder as the "
        "root."
    )


def _synsets(path: Path, part: str) -> Iterator[tuple[str, int]]:
    """The gloss and the class of each synset of a file."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}): fetch it again.") from error
    *lines, rest = content.split("\n")
    if rest or not lines:
        raise DataError(f"{path} is cut off after line {len(lines)}: fetch it again.")
    classes = {number for number, name in enumerate(CLASSES) if name.startswith(f"{part}.")}
    for number, line in enumerate(lines, start=1):
        match = SYNSET.fullmatch(line)
        if match and match[2] in PARTS[part] and int(match[1]) in classes:
            yield match[3].strip(), int(match[1])
        elif not line.startswith("  "):
            raise DataError(
                f"{path} is damaged in line {number}: expected a synset of one of {part}'s files, with a gloss, got "
                f"{line[:40]!r}: fetch it again."
            )


def _check_classes(folder: Path, labels: np.ndarray) -> None:
    counts = np.bincount(labels, minlength=len(CLASSES))
    if counts.min() < 2:
        raise DataError(
            f"the files in {folder} have {counts.min()} glosses of {CLASSES[counts.argmin()]}, expected at least 2 of "
            f"each of the {len(CLASSES)} classes: fetch them again."
        )
