"""Trains a SentencePiece vocabulary with ALBERT's settings."""

import io
import random
import re
from collections.abc import Iterable
from pathlib import Path

import sentencepiece

from albert_keras.files.atomic_write import atomic_file
from albert_keras.tokenization.text_list import check_is_list, check_is_text

# Google's settings for the released vocabularies: a unigram model, special
# tokens at ids 0 to 4, and symbols that are always a piece of their own.
_CONTROL_SYMBOLS = ("[CLS]", "[SEP]", "[MASK]")
_SINGLE_SYMBOLS = ("(", ")", '"', "-", ".", "\N{EN DASH}", "£", "€")


def train_vocabulary(
    sentences: Iterable[str],
    path: str | Path,
    vocabulary_size: int = 30000,
    character_coverage: float = 0.99995,
    input_sentence_size: int = 10_000_000,
    seed: int = 0,
    num_threads: int = 2,
) -> None:
    """Trains a vocabulary on normalized sentences and writes it to a file.

    Args:
        sentences: An iterable of normalized strings (`normalize_text`), read
            once.
        path: Path of the `.model` file, which is written atomically.
        vocabulary_size: Number of pieces, special tokens included.
        character_coverage: Share of the text's characters that the
            vocabulary covers.
        input_sentence_size: Maximum number of sentences, sampled here:
            SentencePiece's own samples differ between processes.
        seed: Seed of the sampling.
        num_threads: Number of threads of the trainer.

    Raises:
        ValueError: If there is too little text for `vocabulary_size` pieces,
            `sentences` is a string, or an item is not.
    """
    check_is_list(sentences, "sentences")
    sample = _sample(sentences, input_sentence_size, seed)
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sample),
            model_writer=model,
            vocab_size=vocabulary_size,
            model_type="unigram",
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            pad_piece="<pad>",
            unk_piece="<unk>",
            control_symbols=list(_CONTROL_SYMBOLS),
            user_defined_symbols=list(_SINGLE_SYMBOLS),
            shuffle_input_sentence=False,
            input_sentence_size=0,  # all
            character_coverage=character_coverage,
            num_threads=num_threads,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ValueError(_explain(error, vocabulary_size)) from error
    with atomic_file(path, "wb") as file:
        file.write(model.getvalue())


def _sample(sentences, size, seed):
    """Draws `size` of the sentences without replacement (reservoir sampling).

    The same in every process: Python guarantees the numbers of `random()`.
    """
    sample = []
    draw = random.Random(seed).random
    for number, sentence in enumerate(sentences):
        check_is_text(sentence, "sentences", number)
        if number < size:
            sample.append(sentence)
        else:
            place = int(draw() * (number + 1))
            if place < size:
                sample[place] = sentence
    return sample


def _explain(error, vocabulary_size):
    limit = re.search(r"value <= (\d+)", str(error))
    if limit:
        return (
            f"The corpus is too small for {vocabulary_size} pieces: it "
            f"yields {limit[1]} at most. Pass a `vocabulary_size` of "
            f"{limit[1]} or less, more text, or an existing `vocabulary`."
        )
    return f"SentencePiece could not train a vocabulary: {error}"
