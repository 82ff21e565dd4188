"""Turns text files into a vocabulary and a token store for pretraining.

    python recipes/prepare_corpus.py --input 'texts/*.txt' --output_dir corpus

One paragraph or sentence a line, a blank line or the end of a file between
documents; `.jsonl` files hold one document a line under `text`. The store
takes two bytes a token; masks are drawn while training, so nothing is written
twice.
"""

import dataclasses

from tqdm import tqdm

from albert_keras.data.corpus import prepare_corpus
from settings import run_recipe


@dataclasses.dataclass(frozen=True)
class Settings:
    """Turns text files into a vocabulary and a token store."""

    input: tuple[str, ...]
    """Text files, as paths or quoted glob patterns."""

    output_dir: str
    """Directory to make; it appears whole or not at all."""

    vocabulary: str | None = None
    """A SentencePiece model to use; without it, one is trained."""

    vocabulary_size: int = 30000
    """Pieces of the vocabulary to train (ALBERT: 30,000)."""

    lowercase: bool = True
    """Lowercase the text, as the English ALBERT does."""

    remove_accents: bool = True
    """Drop accents, as the English ALBERT does."""

    validation_share: float = 0.05
    """Share of the documents held out; 0.001 is enough for gigabytes."""

    seed: int = 0
    """Seed of the held-out share and of the vocabulary's sample."""

    workers: int = 2
    """Threads that encode."""

    overwrite: bool = False
    """Replace an earlier corpus in the output directory."""


def main(argv=None):
    return run_recipe("prepare_corpus", prepare, Settings, argv)


def prepare(settings):
    """Prepares the corpus and says what it holds."""
    arguments = dataclasses.asdict(settings)
    bars = []

    def progress(description, total):
        bars.append(
            tqdm(total=total, unit="B", unit_scale=True, desc=description)
        )
        return bars[-1].update

    try:
        manifest = prepare_corpus(
            inputs=arguments.pop("input"), progress=progress, **arguments
        )
    finally:
        for bar in bars:
            bar.close()
    print(
        f"{settings.output_dir}: {manifest['num_documents']:,} documents, "
        f"{manifest['num_sentences']:,} sentences, "
        f"{manifest['num_tokens']:,} tokens of "
        f"{manifest['vocabulary_size']:,} pieces "
        f"({manifest['unknown_rate']:.2%} unknown). "
        f"Unigram entropy {manifest['unigram_entropy']:.2f} nats."
    )


if __name__ == "__main__":
    main()
