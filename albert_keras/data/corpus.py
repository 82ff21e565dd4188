"""From text files to a vocabulary and a token store."""

from collections.abc import Callable
from pathlib import Path

from albert_keras.atomic_write import atomic_directory
from albert_keras.conversion.keras_format import VOCABULARY_FILE
from albert_keras.data.documents import find_files, read_documents
from albert_keras.data.text_normalization import normalize_text
from albert_keras.data.token_store import MANIFEST_FILE, TokenStoreWriter
from albert_keras.data.tokenizer import AlbertTokenizer
from albert_keras.data.vocabulary import train_vocabulary

_SENTENCES_AT_ONCE = 20_000


def prepare_corpus(
    inputs,
    output_dir,
    vocabulary=None,
    vocabulary_size=30000,
    lowercase=True,
    remove_accents=True,
    validation_share=0.05,
    seed=0,
    workers=2,
    overwrite=False,
    progress: Callable | None = None,
):
    """Makes a directory that `TokenStore` reads.

    Args:
        inputs: Glob patterns of text files, see `read_documents`.
        output_dir: The directory; it appears whole or not at all.
        vocabulary: Path of a SentencePiece model; None trains one.
        vocabulary_size: Pieces of a vocabulary to be trained.
        lowercase, remove_accents: See `normalize_text`.
        validation_share: Share of the documents held out.
        seed: Of the held-out share and of the vocabulary's sample.
        workers: Threads that encode.
        overwrite: Whether to replace an earlier corpus.
        progress: `(description, total_bytes) -> advance(num_bytes)`.

    Returns:
        The manifest of the store.

    Raises:
        ValueError: If a file is missing, empty or not readable as text, the
            output directory is in use, or the text is too small.
    """
    if not 0 < validation_share < 1:
        raise ValueError(
            "`validation_share` must be above 0 and below 1. "
            f"Received: {validation_share}."
        )
    files = find_files(inputs)
    output_dir = Path(output_dir)
    _check_free(output_dir, overwrite)
    size = sum(path.stat().st_size for path in files)
    progress = progress or (lambda description, total: lambda count: None)

    with atomic_directory(output_dir) as directory:
        if vocabulary is None:
            vocabulary = directory / VOCABULARY_FILE
            advance = progress("vocabulary", size)
            train_vocabulary(
                (
                    normalize_text(sentence, lowercase, remove_accents)
                    for path in files
                    for document in read_documents(path, advance)
                    for sentence in document
                ),
                vocabulary,
                vocabulary_size,
                seed=seed,
                num_threads=workers,
            )
        tokenizer = AlbertTokenizer(vocabulary, lowercase, remove_accents)
        advance = progress("tokens", size)
        with TokenStoreWriter(directory, tokenizer) as writer:
            for documents in _batches(files, advance):
                _encode_into(writer, tokenizer, documents, workers)
            if not writer.num_tokens:
                raise ValueError(
                    f"There is no text in {', '.join(map(str, files[:5]))}: "
                    "every line is empty. Pass files with text."
                )
            return writer.finish(
                validation_share, seed, inputs=[str(path) for path in files]
            )


def _check_free(output_dir, overwrite):
    if output_dir.is_file():
        raise ValueError(f"{output_dir} is a file. Pass a directory.")
    if not output_dir.exists() or not any(output_dir.iterdir()):
        return
    if not (output_dir / MANIFEST_FILE).is_file():
        raise ValueError(
            f"{output_dir} holds something other than a prepared corpus. "
            "Pass a new directory."
        )
    if not overwrite:
        raise ValueError(
            f"{output_dir} already holds a prepared corpus. Pass another "
            "directory, or `--overwrite` to replace it."
        )


def _batches(files, advance):
    """Documents in lists of some thousand sentences."""
    documents, count = [], 0
    for path in files:
        for document in read_documents(path, advance):
            documents.append(document)
            count += len(document)
            if count >= _SENTENCES_AT_ONCE:
                yield documents
                documents, count = [], 0
    yield documents


def _encode_into(writer, tokenizer, documents, workers):
    sentences = [sentence for document in documents for sentence in document]
    encoded = iter(tokenizer.encode(sentences, num_threads=workers))
    for document in documents:
        writer.add([next(encoded) for _ in document])
