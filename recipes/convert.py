"""Converts a pretrained model from any format to any other.

    python recipes/convert.py --from albert_base_v2.tar.gz --to albert-base \
        --format huggingface

The source is a directory of this package, of Google, Hugging Face or KerasHub,
Google's archive, a run's directory, `hf://OWNER/NAME` or the name of a
KerasHub preset. Afterwards both are loaded, and the largest difference of
their outputs is printed.
"""

import dataclasses
from typing import Annotated, Literal

import tyro

from albert_keras.conversion import (
    local_directory,
    read_pretrained,
    write_pretrained,
)
from albert_keras.evaluation.parity import compare_outputs
from albert_keras.models.auto import load_model, model_class
from albert_keras.workflows.parse_settings import run_recipe


@dataclasses.dataclass(frozen=True)
class Settings:
    """Converts a pretrained model from any format to any other."""

    from_: Annotated[str, tyro.conf.arg(name="from")]
    """What to convert: a directory, an archive or a hub's handle."""

    to: str
    """The directory to make; it appears whole or not at all."""

    format: Literal["keras", "huggingface", "keras_hub", "google"]
    """The format to write."""

    tolerance: float = 1e-3
    """Largest difference of outputs to put up with."""


def main(argv=None):
    return run_recipe("convert", convert, Settings, argv)


def convert(settings):
    """Converts, compares, and returns the differences by output."""
    with local_directory(settings.from_) as directory:
        parts = read_pretrained(directory)
    if parts.left_over:
        print(f"Not used of {parts.source}: {', '.join(parts.left_over)}.")
    if parts.vocabulary is None:
        print(f"{settings.from_} has no SentencePiece vocabulary to take over.")
    before = model_class(parts).from_parts(parts)
    write_pretrained(settings.to, parts, settings.format)
    print(
        f"{parts.model_class} with {parts.num_parameters:,} parameters: "
        f"{settings.from_} -> {settings.to} ({settings.format})."
    )
    differences = compare_outputs(before, load_model(settings.to))
    print("Largest difference of the outputs, before and after:")
    for name, difference in differences.items():
        print(f"  {name:<16} {difference:.1e}")
    worst = max(differences.values())
    if not worst <= settings.tolerance:
        raise ValueError(
            f"{settings.to} does not compute the same: outputs differ by "
            f"{worst:.1e}, more than --tolerance {settings.tolerance}."
        )
    return differences


if __name__ == "__main__":
    main()
