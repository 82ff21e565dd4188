"""Google's pretraining data: TFRecord files of finished inputs.

What `create_pretraining_data.py` of google-research/albert writes, and so
what users of that release and of the AWS sample have: pairs and masks are
drawn once and stay. Read as batches like those of `PretrainingDataset`, and
written from them.
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

# Google's names, the kinds of their values, and which of them have a value
# for each piece or for each slot.
_FEATURES = {
    "input_ids": (INTEGERS, "pieces"),
    "input_mask": (INTEGERS, "pieces"),
    "segment_ids": (INTEGERS, "pieces"),
    "masked_lm_positions": (INTEGERS, "slots"),
    "masked_lm_ids": (INTEGERS, "slots"),
    "masked_lm_weights": (FLOATS, "slots"),
    "next_sentence_labels": (INTEGERS, "one"),
}
_OPTIONAL = {"token_boundary": (INTEGERS, "pieces")}


class PretrainingRecords(keras.utils.PyDataset):
    """Batches from Google's TFRecord files, one for each update, without end.

    As with `PretrainingDataset`, batch n depends on (seed, n, rank, size)
    alone; each pass takes every record once, in an order of its own.

    Args:
        files: Paths, directories or glob patterns. See
            `TFRecordFile`.
        batch_size: Rows B of this rank in a step.
        seed: Non-negative integer.
        rank, size: This process and the number of processes.
        first_step: Step of `dataset[0]`, for a resumed run.
        num_steps: Number of batches; None is without end.
        **kwargs: `workers` and so on of `keras.utils.PyDataset`.

    Attributes:
        sequence_length, max_predictions: Those of the first record.

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
                f"{batch_size * size} rows of one step."
            )
        lengths = _lengths(self._features(0), self._place(0))
        self.sequence_length = lengths["pieces"]
        self.max_predictions = lengths["slots"]

    def __len__(self):
        return int(self._ends[-1])

    @property
    def num_batches(self) -> int | None:
        return self.num_steps

    @property
    def steps_per_pass(self) -> float:
        """Steps in which each record comes once, a fraction."""
        return len(self) / (self.batch_size * self.size)

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
        """The batch of some records, counted over all files."""
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
        if (lengths["pieces"], lengths["slots"]) != expected:
            raise ValueError(
                f"{self._place(number)} has {lengths['pieces']} pieces and "
                f"{lengths['slots']} slots, the first record {expected[0]} "
                f"and {expected[1]}. Files of different lengths do not make "
                "a batch: pass those of one length at a time."
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
    """Writes batches of a dataset as Google's TFRecords.

    Args:
        path: The file; it appears whole or not at all.
        dataset: A `PretrainingDataset`.
        steps: The steps to write.
        compression: None or "gzip".

    Returns:
        The number of records.
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
    """The ids `(B, T)` as they were before masking."""
    ids = inputs["token_ids"].copy()
    row, slot = np.nonzero(weights["mlm"])
    ids[row, inputs["mask_positions"][row, slot]] = labels["mlm"][row, slot]
    return ids


def _lengths(features, place):
    """How many values a record has by piece and by slot, checked."""
    lengths = {"one": 1}
    for name, (kind, axis) in {**_FEATURES, **_OPTIONAL}.items():
        if name not in features and name in _OPTIONAL:
            continue
        if name not in features or features[name][0] != kind:
            raise ValueError(
                f"{place} is not of ALBERT's pretraining data: "
                f"{name!r} is missing or of another type. It has "
                f"{', '.join(sorted(features))}."
            )
        data = features[name][1]
        count = len(data) // 4 if kind == FLOATS else count_varints(data)
        if lengths.setdefault(axis, count) != count:
            raise ValueError(
                f"{place}: {name!r} has {count} values, others of its kind "
                f"{lengths[axis]}. The file is damaged: write it again."
            )
    return lengths


def _decode(rows, kind):
    data = b"".join(rows)
    if kind == FLOATS:
        return np.frombuffer(data, "<f4").reshape(len(rows), -1).copy()
    return decode_varints(data).reshape(len(rows), -1).astype("int32")
