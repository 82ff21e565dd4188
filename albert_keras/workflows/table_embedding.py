"""Embeds the texts of a table, in chunks, for files of any size."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.data.tables.table_files import Table
from albert_keras.data.tables.table_writer import (
    check_table_suffix,
    is_parquet,
    kept_cells,
    parquet_schema,
    write_table,
)
from albert_keras.data.tables.text_table import (
    BROKEN,
    TextColumns,
    chunks_of_rows,
    usable_rows,
)
from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.evaluation.prediction import batches_of_this_rank
from albert_keras.files.atomic_write import atomic_file
from albert_keras.text_tasks.embeddings import mean_of_tokens, to_length_one
from albert_keras.training import distributed
from albert_keras.workflows.evaluate import say_report
from albert_keras.workflows.finetune import check_fits
from albert_keras.workflows.progress_bars import progress_bars
from albert_keras.workflows.settings.embedding_settings import (
    EMBEDDING_DEFAULTS,
    EmbeddingSettings,
)
from albert_keras.workflows.table_prediction import (
    ChunkProgress,
    check_output,
)

COLUMN = "embedding"
ARRAY = ".npy"
_ROWS = 4096  # read, embedded and written at a time


def embed_table(
    settings: EmbeddingSettings, backbone: Any, tokenizer: Any
) -> Path:
    """Writes `output_file`: an embedding for each row of `input_file`.

    Rows without a text stay: their embedding is NaN in an array and empty in
    a table. Rows that cannot be read are listed and left out.

    Returns:
        The path of the file.

    Raises:
        ValueError: If the input lacks the column or has the new one, the
            files are the same, or the suffix is unknown.
    """
    columns = TextColumns(settings.text_column)
    table = columns.open(settings.input_file or "", settings.encoding)
    path = Path(settings.output_file or "")
    is_array = path.suffix.lower() == ARRAY
    if not is_array:
        check_output(path, table, (COLUMN,))
        check_table_suffix(path)
    place = table.columns.index(settings.text_column)
    width = backbone.config.hidden_dim
    write: Any = contextlib.nullcontext(lambda rows, found: None)
    if distributed.rank() == 0:
        write = _array(path, width) if is_array else _table(path, table)
    count = truncated = 0
    unusable: dict[str, list] = {}
    with progress_bars("B", unit_scale=True) as progress, write as add:
        bar = ChunkProgress(progress("embedding", table.path.stat().st_size))
        for chunk in chunks_of_rows(table.rows(bar.add_bytes), _ROWS):
            bar.start_chunk(len(chunk))
            found = np.full((len(chunk), width), np.nan, "float32")
            usable, texts = usable_rows(chunk, [place], "embedding", unusable)
            if usable:
                texts = [text for (text,) in texts]
                found[usable], cut = _embed(
                    settings, backbone, tokenizer, texts, bar.advance_rows
                )
                truncated += cut
            bar.end_chunk()
            count += len(chunk)
            add([cells for _, cells in chunk], found)
    if table.broken:
        unusable[BROKEN] = [f"{k}: {v}" for k, v in table.broken.items()]
    say_report(table.path, count + len(table.broken), unusable)
    if truncated:
        distributed.say(
            f"{table.path}: {truncated:,} of {count:,} texts were truncated to "
            f"{_length(settings, backbone)} tokens (--max_seq_length)."
        )
    distributed.say(f"{path}: {count:,} embeddings of width {width}.")
    return path


def _length(settings, backbone):
    default = min(
        EMBEDDING_DEFAULTS.max_seq_length, backbone.config.max_sequence_length
    )
    return settings.max_seq_length or default


def _embed(settings, backbone, tokenizer, texts, progress):
    """Embeddings `(N, H)` on every rank, and how many texts were truncated."""
    examples = LabelledTexts(
        (texts,),
        None,
        tokenizer,
        _length(settings, backbone),
        workers=settings.workers,
    )
    check_fits(examples, backbone)
    batches = batches_of_this_rank(examples, settings.eval_batch_size)
    own = [
        (
            indices,
            mean_of_tokens(
                outputs["sequence_output"], examples.lengths[indices]
            ),
        )
        for indices, _, outputs in batches.predict(backbone, progress)
    ]
    rows = np.empty((len(texts), backbone.config.hidden_dim), "float32")
    for share in distributed.gather_objects(own):
        for indices, means in share:
            rows[indices] = means
    rows = to_length_one(rows) if settings.normalize else rows
    return rows, len(examples.cut)


@contextlib.contextmanager
def _array(path: Path, width: int) -> Iterator[Callable]:
    """Yields a function that appends rows to a `.npy` file.

    NumPy pads the header so that the number of rows can be written last.
    """
    count = 0

    def header(file):
        fields = {"descr": "<f4", "fortran_order": False}
        fields["shape"] = (count, width)
        np.lib.format.write_array_header_1_0(file, fields)

    with atomic_file(path, "wb") as file:
        header(file)

        def add(_, found):
            nonlocal count
            count += len(found)
            file.write(found.astype("<f4").tobytes())

        yield add
        file.seek(0)
        header(file)


@contextlib.contextmanager
def _table(path: Path, table: Table) -> Iterator[Callable]:
    """Yields a function that appends rows to a table."""
    schema = None
    if is_parquet(path):
        import pyarrow

        vectors = pyarrow.list_(pyarrow.float32())
        schema = parquet_schema(table, [(COLUMN, vectors)])
    kept = kept_cells(path, table)
    with write_table(path, (*table.columns, COLUMN), schema) as write:

        def add(rows, found):
            write(
                [
                    [
                        *kept(cells),
                        None if np.isnan(row).any() else row.tolist(),
                    ]
                    for cells, row in zip(rows, found, strict=True)
                ]
            )

        yield add
