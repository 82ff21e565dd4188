"""Google's pretraining data: TFRecord files of packed and masked rows.

The format of `create_pretraining_data.py` in google-research/albert, which
the AWS sample uses as well. Segment pairs and masks are drawn once, when the
files are written (static masking). Reads the files as batches like those of
`PretrainingDataset`, and writes them from such batches.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from albert_keras.data.pretraining.tf_example import (
    FLOATS,
    INTEGERS,
    count_varints,
    decode_varints,
    read_features,
    write_features,
)
from albert_keras.data.pretraining.tfrecord import TFRecordFile, tfrecord_writer
from albert_keras.data.reading.compressed_files import find_files
from albert_keras.data.stateless_random import permute
from albert_keras.tokenization.word_boundaries import word_begin_mask

# Google's feature names, with type and number of values: one per token, per
# masked token, or one. `next_sentence_labels` are the sentence-order labels.
_FEATURES = {
    "input_ids": (INTEGERS, "tokens"),
    "input_mask": (INTEGERS, "tokens"),
    "segment_ids": (INTEGERS, "tokens"),
    "masked_lm_positions": (INTEGERS, "predictions"),
    "masked_lm_ids": (INTEGERS, "predictions"),
    "masked_lm_weights": (FLOATS, "predictions"),
    "next_sentence_labels": (INTEGERS, "one"),
}
_OPTIONAL = {"token_boundary": (INTEGERS, "tokens")}


class PretrainingRecords(keras.utils.PyDataset):
    """Endless batches from Google's TFRecord files, one batch per update.

    As in `PretrainingDataset`, batch n is a function of (seed, n, rank, size)
    alone; each pass visits every record once, in a new order.

    Args:
        files: Paths, directories or glob patterns of TFRecord files, plain or
            compressed (see `TFRecordFile`).
        batch_size: Rows B of this rank per update.
        seed: Non-negative integer.
        rank, size: Index of this process, and number of processes.
        first_step: Step of `dataset[0]`, for a resumed run.
        num_steps: Number of batches; None is endless.
        **kwargs: Arguments of `keras.utils.PyDataset`, such as `workers`.

    Attributes:
        sequence_length, max_predictions: T and P of the first record.

    Raises:
        ValueError: If a file is missing, damaged or has other features, or
            records differ in length; names file and record.
    """

    def __init__(
        self,
        files: str | Path | Sequence[str | Path],
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        size: int = 1,
        first_step: int = 0,
        num_steps: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= rank < size:
            raise ValueError(
                "`rank` must be at least 0 and below `size`. "
                f"Received: rank={rank}, size={size}."
            )
        self.batch_size, self.seed = batch_size, seed
        self.rank, self.size = rank, size
        self.first_step, self.num_steps = first_step, num_steps
        self.files = [TFRecordFile(path) for path in find_files(files)]
        self._ends = np.cumsum([len(file) for file in self.files])
        if len(self) < batch_size * size:
            raise ValueError(
                f"The files hold {len(self)} records, fewer than the "
                f"{batch_size * size} rows of one update. Pass more files or "
                "a smaller `batch_size`."
            )
        lengths = _lengths(self._features(0), self._place(0))
        self.sequence_length = lengths["tokens"]
        self.max_predictions = lengths["predictions"]

    def __len__(self):
        return int(self._ends[-1])

    @property
    def num_batches(self) -> int | None:
        return self.num_steps

    @property
    def steps_per_pass(self) -> float:
        """Steps per pass over the records, not rounded."""
        return len(self) / (self.batch_size * self.size)

    def describe_data(self) -> dict[str, dict[str, Any]]:
        """Describes the files by name and size, for `check_same_data`."""
        paths = [Path(file.name) for file in self.files]
        sizes = {path.name: path.stat().st_size for path in paths}
        return {
            "records": {
                "path": str(paths[0].parent),
                "records": len(self),
                "files": sizes,
            }
        }

    def __getitem__(self, index):
        return self.batch(self.first_step + index)

    def batch(self, step: int) -> tuple[dict[str, np.ndarray], ...]:
        """The batch of a step, counted from the start of training."""
        first = (step * self.size + self.rank) * self.batch_size
        passes, positions = np.divmod(
            np.arange(first, first + self.batch_size), len(self)
        )
        return self.records(permute(positions, len(self), self.seed, passes))

    def records(self, numbers):
        """The batch of the given records, numbered over all files."""
        rows = [self._read(int(number)) for number in numbers]
        arrays = {
            name: _decode([row[name][1] for row in rows], kind)
            for name, (kind, _) in _FEATURES.items()
        }
        inputs = {
            "token_ids": arrays["input_ids"],
            "segment_ids": arrays["segment_ids"],
            "padding_mask": arrays["input_mask"],
            "mask_positions": arrays["masked_lm_positions"],
        }
        labels = {
            "mlm": arrays["masked_lm_ids"],
            "sop": arrays["next_sentence_labels"][:, 0],
        }
        return inputs, labels, {"mlm": arrays["masked_lm_weights"]}

    def _read(self, number):
        features = self._features(number)
        lengths = _lengths(features, self._place(number))
        expected = (self.sequence_length, self.max_predictions)
        if (lengths["tokens"], lengths["predictions"]) != expected:
            raise ValueError(
                f"{self._place(number)} has {lengths['tokens']} tokens and "
                f"{lengths['predictions']} predictions, the first record "
                f"{expected[0]} and {expected[1]}. A batch must have one "
                "length: pass only files of the same length."
            )
        return features

    def _features(self, number):
        file, place = self._locate(number)
        message = file[place]
        try:
            return read_features(message)
        except ValueError as error:
            raise ValueError(f"{self._place(number)} {error}") from error

    def _locate(self, number):
        index = int(np.searchsorted(self._ends, number, "right"))
        file = self.files[index]
        return file, number - (int(self._ends[index]) - len(file))

    def _place(self, number):
        file, place = self._locate(number)
        return f"{file.name}, record {place}"


def write_pretraining_records(
    path: str | Path,
    dataset: Any,
    steps: Iterable[int],
    compression: str | None = None,
) -> int:
    """Writes batches of a dataset to a TFRecord file in Google's format.

    Args:
        path: The file, which is written atomically.
        dataset: A `PretrainingDataset`.
        steps: The steps whose batches are written.
        compression: None or "gzip".

    Returns:
        The number of records written.
    """
    tokenizer = dataset.store.tokenizer
    begins = word_begin_mask(tokenizer)
    begins[[tokenizer.cls_id, tokenizer.sep_id]] = True
    count = 0
    with tfrecord_writer(path, compression) as write:
        for step in steps:
            inputs, labels, weights = dataset.batch(step)
            columns = {
                "input_ids": inputs["token_ids"],
                "input_mask": inputs["padding_mask"],
                "segment_ids": inputs["segment_ids"],
                "masked_lm_positions": inputs["mask_positions"],
                "masked_lm_ids": labels["mlm"],
                "masked_lm_weights": weights["mlm"],
                "next_sentence_labels": labels["sop"][:, None],
                "token_boundary": begins[unmasked(inputs, labels, weights)]
                & (inputs["padding_mask"] == 1),
            }
            for row in range(len(inputs["token_ids"])):
                write(
                    write_features(
                        {name: values[row] for name, values in columns.items()}
                    )
                )
                count += 1
    return count


def unmasked(inputs, labels, weights):
    """The ids `(B, T)` before masking."""
    ids = inputs["token_ids"].copy()
    row, slot = np.nonzero(weights["mlm"])
    ids[row, inputs["mask_positions"][row, slot]] = labels["mlm"][row, slot]
    return ids


def _lengths(features, place):
    """Numbers of tokens and predictions of a record, checked.

    Returns:
        A dictionary with `"tokens"`, `"predictions"` and `"one"`.
    """
    lengths = {"one": 1}
    for name, (kind, axis) in {**_FEATURES, **_OPTIONAL}.items():
        if name not in features and name in _OPTIONAL:
            continue
        if name not in features or features[name][0] != kind:
            raise ValueError(
                f"{place} is not ALBERT's pretraining data: {name!r} is "
                "missing or of another type. It has "
                f"{', '.join(sorted(features))}."
            )
        data = features[name][1]
        count = len(data) // 4 if kind == FLOATS else count_varints(data)
        if lengths.setdefault(axis, count) != count:
            raise ValueError(
                f"{place}: expected {lengths[axis]} values in {name!r}. "
                f"Received: {count}. The file is damaged: write it again."
            )
    return lengths


def _decode(rows, kind):
    data = b"".join(rows)
    if kind == FLOATS:
        return np.frombuffer(data, "<f4").reshape(len(rows), -1).copy()
    return decode_varints(data).reshape(len(rows), -1).astype("int32")
