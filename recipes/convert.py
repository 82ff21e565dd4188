"""Converts a pretrained model between all supported formats.

    python recipes/convert.py --from albert_base_v2.tar.gz --to albert-base \
        --format huggingface

The source is a directory of this package, Google, Hugging Face or KerasHub,
Google's archive, a run directory, `hf://OWNER/NAME` or the name of a KerasHub
preset. The recipe then loads both models and prints the largest difference of
their outputs.
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
from albert_keras.workflows.settings.parse_settings import run_recipe


@dataclasses.dataclass(frozen=True)
class Settings:
    """Converts a pretrained model between all supported formats."""

    from_: Annotated[str, tyro.conf.arg(name="from")]
    """Model to convert: a directory, an archive or a hub handle."""

    to: str
    """Directory to write, atomically."""

    format: Literal["keras", "huggingface", "keras_hub", "google"]
    """Format to write."""

    tolerance: float = 1e-3
    """Largest difference of the outputs to accept."""


def main(argv=None):
    return run_recipe("convert", convert, Settings, argv)


def convert(settings):
    """Converts a model, and returns the largest difference of each output."""
    with local_directory(settings.from_) as directory:
        parts = read_pretrained(directory)
    if parts.left_over:
        print(f"Not used from {parts.source}: {', '.join(parts.left_over)}.")
    if parts.vocabulary is None:
        print(f"{settings.from_} has no SentencePiece vocabulary to copy.")
    before = model_class(parts).from_parts(parts)
    write_pretrained(settings.to, parts, settings.format)
    print(
        f"{parts.model_class} with {parts.num_parameters:,} parameters: "
        f"{settings.from_} -> {settings.to} ({settings.format})."
    )
    differences = compare_outputs(before, load_model(settings.to))
    print("Largest difference of the outputs before and after:")
    for name, difference in differences.items():
        print(f"  {name:<16} {difference:.1e}")
    worst = max(differences.values())
    if not worst <= settings.tolerance:
        raise ValueError(
            f"{settings.to} computes other outputs: they differ by "
            f"{worst:.1e}, more than --tolerance {settings.tolerance}."
        )
    return differences


if __name__ == "__main__":
    main()
