"""Reads and writes the model files of other systems.

Works on arrays and configurations only; does not depend on the models.
"""

from albert_keras.conversion.formats import (
    FORMATS,
    format_of,
    read_pretrained,
    write_pretrained,
)
from albert_keras.conversion.pretrained_parts import PretrainedParts
from albert_keras.conversion.sources import local_directory

__all__ = [
    "FORMATS",
    "PretrainedParts",
    "format_of",
    "local_directory",
    "read_pretrained",
    "write_pretrained",
]
