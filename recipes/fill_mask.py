"""Fills in the [MASK]s of sentences with a pretrained model.

    python recipes/fill_mask.py --pretrained runs/tiny \
        --text 'Returns a [MASK] of strings.'

With `--save_to`, first saves the model there with `save_pretrained` and loads
it back.
"""

import dataclasses

from albert_keras import AlbertForMaskedLM, AlbertForPretraining
from albert_keras.data import AlbertTokenizer
from albert_keras.evaluation.fill_mask import fill_masks
from albert_keras.workflows.settings.parse_settings import run_recipe

EXAMPLES = (
    "Returns a [MASK] of strings.",
    "If the file does not [MASK], an exception is raised.",
    "The default [MASK] is None.",
    "Returns True if the two objects are [MASK], False otherwise.",
    "This [MASK] is called when an instance of the class is created.",
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Fills in the [MASK]s of sentences with a pretrained model."""

    pretrained: str
    """Pretrained directory, or directory of a pretraining run."""

    text: tuple[str, ...] = EXAMPLES
    """Sentences that contain [MASK]."""

    top: int = 5
    """Number of tokens to show for each mask."""

    save_to: str | None = None
    """First save the model here with `save_pretrained` and load it back."""


def main(argv=None):
    return run_recipe("fill_mask", fill, Settings, argv)


def fill(settings):
    """Prints the most probable tokens for each mask."""
    directory = settings.pretrained
    tokenizer = AlbertTokenizer.from_pretrained(directory)
    if settings.save_to:
        both_heads = AlbertForPretraining.from_pretrained(directory)
        both_heads.save_pretrained(settings.save_to, tokenizer=tokenizer)
        directory = settings.save_to
        print(f"Saved to {directory} and loaded back.")
    model = AlbertForMaskedLM.from_pretrained(directory)
    tokenizer = AlbertTokenizer.from_pretrained(directory)
    for text in settings.text:
        print(f"\n{text}")
        for fills in fill_masks(model, tokenizer, text, settings.top):
            print(
                "  "
                + "  ".join(f"{f.piece} {f.probability:.1%}" for f in fills)
            )


if __name__ == "__main__":
    main()
