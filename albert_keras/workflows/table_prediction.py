"""Predicts the labels of a table, in chunks, for files of any size."""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    chunks_of_rows,
    usable_rows,
)
from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.evaluation.classification_evaluation import (
    predict_logits,
    prediction_cells,
    prediction_columns,
)
from albert_keras.problems import MULTI_LABEL, REGRESSION, decode_logits
from albert_keras.training import distributed
from albert_keras.workflows.classification_data import (
    class_names_of,
    columns_of,
    default_length,
)
from albert_keras.workflows.evaluate import say_report
from albert_keras.workflows.finetune import check_fits
from albert_keras.workflows.progress_bars import progress_bars
from albert_keras.workflows.settings.task_settings import (
    ClassificationSettings,
)

_ROWS = 4096  # read, predicted and written at a time


def predict_table(
    settings: ClassificationSettings, model: Any, tokenizer: Any
) -> Path:
    """Writes `output_file`: the rows of `input_file` and their predictions.

    Rows without a text stay, without a prediction. Rows that cannot be read
    are listed and left out.

    Returns:
        The path of the file.

    Raises:
        ValueError: If the input lacks a column, has one of the new ones, or
            the files are the same.
    """
    table = columns_of(settings, with_labels=False).open(
        settings.input_file or "", settings.encoding
    )
    predictor = TablePredictor(settings, model, tokenizer, table)
    path = Path(settings.output_file or "")
    check_output(path, table, predictor.new_columns)
    columns = (*table.columns, *predictor.new_columns)
    count, unusable = 0, {}
    is_first = distributed.rank() == 0
    with (
        progress_bars("B", unit_scale=True) as progress,
        write_table(path, columns, predictor.schema())
        if is_first
        else contextlib.nullcontext(lambda rows: None) as write,
    ):
        bar = ChunkProgress(progress("predicting", table.path.stat().st_size))
        for chunk in chunks_of_rows(table.rows(bar.add_bytes), _ROWS):
            bar.start_chunk(len(chunk))
            added = predictor.predict(chunk, unusable, bar.advance_rows)
            bar.end_chunk()
            count += len(chunk)
            write(
                [
                    [*predictor.kept(cells), *more]
                    for (_, cells), more in zip(chunk, added, strict=True)
                ]
            )
    if table.broken:
        unusable[BROKEN] = [f"{k}: {v}" for k, v in table.broken.items()]
    say_report(table.path, count + len(table.broken), unusable)
    distributed.say(f"{path}: {count:,} rows.")
    return path


def check_output(
    path: Path, table: Table, new_columns: tuple[str, ...]
) -> None:
    """Raises a `ValueError` if the table cannot be written as `path`."""
    check_table_suffix(path)
    if path.exists() and path.samefile(table.path):
        raise ValueError(
            f"{path} is the input, too. Pass another file as `output_file`."
        )
    taken = [name for name in new_columns if name in table.columns]
    if taken:
        raise ValueError(
            f"{table.path} already has the columns {', '.join(taken)}, which "
            "the predictions would get. Rename or remove them."
        )


class ChunkProgress:
    """Advances a bar of bytes with the rows of chunks that are predicted.

    Args:
        advance: Function that advances the bar by a number of bytes.
    """

    def __init__(self, advance: Callable[[int], Any]) -> None:
        self._advance = advance
        self._read = 0  # bytes that the bar does not show yet
        self._row_bytes = 0.0

    def add_bytes(self, count: int) -> None:
        """Bytes have been read."""
        self._read += count

    def start_chunk(self, num_rows: int) -> None:
        """The bytes read so far are those of a chunk."""
        self._row_bytes = self._read / num_rows

    def advance_rows(self, count: int) -> None:
        """This rank has predicted rows."""
        done = int(count * self._row_bytes * distributed.size())
        done = min(done, self._read)
        self._read -= done
        self._advance(done)

    def end_chunk(self) -> None:
        """All rows of the chunk are done."""
        self._advance(self._read)
        self._read = 0


@dataclasses.dataclass
class TablePredictor:
    """Predicts for the rows of a table.

    Attributes:
        settings, model, tokenizer, table: See `predict_table`.
    """

    settings: ClassificationSettings
    model: Any
    tokenizer: Any
    table: Table

    def __post_init__(self):
        columns = columns_of(self.settings, with_labels=False).texts
        self.is_parquet = is_parquet(self.settings.output_file or "")
        self.kept = kept_cells(self.settings.output_file or "", self.table)
        self.places = [self.table.columns.index(name) for name in columns]
        self.class_names = class_names_of(self.model)
        self.new_columns = prediction_columns(
            self.class_names, self.settings.all_probabilities
        )
        self.length = self.settings.max_seq_length or default_length(
            self.model.config
        )

    def predict(
        self,
        rows: list[tuple[int, list]],
        unusable: dict[str, list],
        progress: Callable[[int], None] | None = None,
    ) -> list[list]:
        """The new cells of some rows.

        Args:
            rows: (line, cells) of each row.
            unusable: Gets the lines of rows without a text.
            progress: Called with the number of rows done on this rank.
        """
        usable, texts = usable_rows(rows, self.places, "prediction", unusable)
        added: list[list] = [[None] * len(self.new_columns) for _ in rows]
        if usable:
            examples = LabelledTexts(
                tuple(map(list, zip(*texts, strict=True))),
                None,
                self.tokenizer,
                self.length,
                workers=self.settings.workers,
            )
            found = self._cells(examples, progress)
            for index, cells in zip(usable, found, strict=True):
                added[index] = cells
        return added

    def _cells(self, examples, progress):
        check_fits(examples, self.model)
        problem = self.model.problem
        logits = predict_logits(
            self.model, examples, self.settings.eval_batch_size, progress
        )
        return prediction_cells(
            problem,
            self.class_names,
            *decode_logits(logits, problem, self.model.thresholds),
            self.settings.all_probabilities,
        )

    def schema(self) -> Any:
        """PyArrow's schema of the new table, if it is a Parquet file."""
        if not self.is_parquet:
            return None
        import pyarrow

        number = pyarrow.float64()
        kinds = [pyarrow.string(), number]
        if self.model.problem == MULTI_LABEL:
            kinds = [pyarrow.list_(kind) for kind in kinds]
        elif self.model.problem == REGRESSION:
            kinds = [number, number]
        kinds += [number] * (len(self.new_columns) - 2)
        fields = [*zip(self.new_columns, kinds, strict=True)]
        return parquet_schema(self.table, fields)
