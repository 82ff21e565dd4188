"""Exports a model for another runtime, and compares it there.

    python recipes/export.py --pretrained runs/reviews/best --format onnx \
        --precision int8 --calibration_file reviews.csv --text_column text \
        --output_dir exports/reviews

Formats: `onnx` (model.onnx), `openvino` (model.xml and model.bin), `litert`
(model.tflite) and `saved_model` (a folder, for TensorFlow). Inputs have any
number of rows and any length; weights that layers share are stored once. Next
to the model are `tokenizer.json`, the SentencePiece model `spiece.model` and
`export.json`: task, labels, thresholds, longest row, format, precision.

The recipe then loads the file in a process that imports neither this package
nor Keras, predicts for the texts of `--dev_file` (or of the calibration file,
or made-up ones) and prints size, largest difference, share of equal
predictions, and latency next to the model's. It writes nothing, and exits with
status 1, if fewer predictions agree than `--min_agreement`.

`--calibration_file` has a text per line, or is a table (CSV, TSV, JSON Lines,
Parquet) with `--text_column` and `--pair_column`. `recipes/serve.py` serves the
directory.
"""

import dataclasses
from typing import Literal

from albert_keras.workflows.export import export
from albert_keras.workflows.settings.parse_settings import run_recipe


@dataclasses.dataclass(frozen=True)
class Settings:
    """Exports a model for another runtime, and compares it there."""

    pretrained: str
    """Model to export: a directory, an archive or a hub handle."""

    output_dir: str
    """Directory to write, atomically; an earlier export is replaced."""

    format: Literal["saved_model", "onnx", "openvino", "litert"] = "onnx"
    """Format to write."""

    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    """Type to compute in; int8 is that of the format's own toolkit."""

    calibration_file: str | None = None
    """Texts from which int8 takes the ranges of activations. ONNX without it
    finds each range when the model runs, which is slower."""

    dev_file: str | None = None
    """Texts to compare on; the default is the calibration file."""

    text_column: str = "text"
    """Column of the text in tables."""

    pair_column: str | None = None
    """Column of the second text in tables, if there is one."""

    max_seq_length: int | None = None
    """Longest row of texts; the default is the model's."""

    calibration_texts: int = 128
    """Largest number of texts to calibrate with."""

    comparison_texts: int = 256
    """Largest number of texts to compare on."""

    min_agreement: float | None = None
    """Smallest share of equal predictions; the default is 0.99 in float32, and
    otherwise 0.9, or 0 with made-up texts."""


def main(argv=None):
    return run_recipe("export", export, Settings, argv)


if __name__ == "__main__":
    main()
