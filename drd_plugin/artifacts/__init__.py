"""The files that pass between the steps: Scores, Features, Subset and Run. Each can be opened, shared and reused by
itself.

Every file is written under another name and renamed, so that a file that exists is complete. Nothing is a pickle.
"""

from .claims import claim
from .features import Features
from .files import ArtifactError, check_fingerprint, check_writable, read_json, read_text, write_aside
from .run import Run
from .scores import Scores, part_path, write_part
from .subset import Subset

__all__ = [
    "ArtifactError",
    "Features",
    "Run",
    "Scores",
    "Subset",
    "check_fingerprint",
    "check_writable",
    "claim",
    "part_path",
    "read_json",
    "read_text",
    "write_aside",
    "write_part",
]
