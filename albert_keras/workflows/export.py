"""Exports a model from a recipe's settings, compares it and reports."""

import dataclasses
from pathlib import Path
from typing import Any

from albert_keras.data.tables.table_writer import TABLE_SUFFIXES
from albert_keras.data.tables.text_table import TextColumns, read_text_table
from albert_keras.exporting.comparison import (
    Comparison,
    batches_of,
    compare_export,
)
from albert_keras.exporting.export_model import check_export, export_model
from albert_keras.exporting.manifest import MANIFEST_FILE
from albert_keras.files.atomic_write import atomic_directory
from albert_keras.files.text_files import read_text
from albert_keras.models.auto import load_model
from albert_keras.models.texts.preprocessor import (
    AlbertPreprocessor,
    tokenizer_of,
)
from albert_keras.text_tasks.example_requests import (
    example_requests,
    made_up_texts,
)
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.requests import TASKS, task_of_requests

# Of lower precisions a little is expected; how much a task can lose, its user
# knows.
_LEAST_AGREEMENT = {"float32": 0.99, "bfloat16": 0.9, "int8": 0.9}
_SAME = 0.99


def export(settings: Any) -> Comparison:
    """Exports, compares and prints; returns the `Comparison`.

    Raises:
        ValueError: If the model or the settings do not fit, or the export's
            predictions agree less than `min_agreement`. Nothing is written.
    """
    _check(settings)
    columns = {
        name: read_columns(settings, name)
        for name in ("calibration_file", "dev_file")
    }
    model = _load(settings)
    tokenizer, facts = tokenizer_of(model), ModelFacts.of(model)
    made_up = (made_up_texts(tokenizer, settings.comparison_texts),)
    compared = columns["dev_file"] or columns["calibration_file"] or made_up
    requests = _requests(facts, compared, settings.comparison_texts)
    calibration = None
    if settings.precision == "int8" and columns["calibration_file"]:
        texts = columns["calibration_file"]
        examples = _requests(facts, texts, settings.calibration_texts)
        task = task_of_requests(facts, tokenizer, examples)
        calibration = [inputs for _, inputs in batches_of(task)]
    with atomic_directory(settings.output_dir) as directory:
        print(
            f"Exporting {settings.pretrained}, an {facts.model_class}, to "
            f"{settings.format} in {settings.precision} ..."
        )
        original = model
        if settings.precision == "int8" and settings.format == "saved_model":
            original = _load(settings)  # `model` is quantized in place
        manifest = export_model(
            model, directory, settings.format, settings.precision, calibration
        )
        found = compare_export(
            original.predict_on_batch, directory, manifest, tokenizer, requests
        )
        print(found.table(f"{settings.format}, {settings.precision}"))
        least = _least_agreement(settings, compared is made_up)
        if not found.agreement >= least:
            raise ValueError(
                f"Only {found.agreement:.2%} of {found.num_predictions:,} "
                "predictions are those of the model, less than "
                f"`min_agreement` {least}. {settings.output_dir} was not "
                "written. Calibrate with more texts, or export in float32."
            )
        if compared is made_up and settings.precision != "float32":
            print(
                "Compared on made-up texts only: pass texts as --dev_file to "
                f"know whether {settings.precision} predicts the same."
            )
        elif found.agreement < _SAME:
            print(
                f"{1 - found.agreement:.2%} of the predictions differ. More "
                "texts to calibrate with may help, or another format."
            )
        dataclasses.replace(manifest, checked=found.to_dict()).write(directory)
    print(f"Wrote {settings.output_dir}.")
    return found


def read_columns(settings: Any, name: str) -> tuple[list[str], ...] | None:
    """Reads the texts of a file: a text per line, or a table.

    Args:
        settings: Those of the recipe.
        name: The setting that names the file; None reads nothing.

    Raises:
        ValueError: If it is missing, has no texts or lacks a column.
    """
    path = getattr(settings, name)
    if path is None:
        return None
    if Path(path).suffix.lower() in TABLE_SUFFIXES:
        columns = TextColumns(settings.text_column, settings.pair_column)
        return read_text_table(path, columns).texts
    if not Path(path).is_file():
        raise ValueError(
            f"{path} does not exist. Pass a file with a text per line, or a "
            f"table, as `{name}`."
        )
    texts = [line for line in read_text(path).splitlines() if line.strip()]
    if not texts:
        raise ValueError(
            f"{path} has no text. Write a text per line, or pass another file "
            f"as `{name}`."
        )
    return (texts,)


def _check(settings):
    check_export(
        settings.format, settings.precision, bool(settings.calibration_file)
    )
    least = settings.min_agreement
    if least is not None and not 0 <= least <= 1:
        raise ValueError(
            f"`min_agreement` must be from 0 to 1. Received: {least}."
        )
    for name in ("calibration_texts", "comparison_texts"):
        if getattr(settings, name) < 1:
            raise ValueError(
                f"`{name}` must be at least 1. Received: "
                f"{getattr(settings, name)}."
            )
    target = Path(settings.output_dir)
    if target.exists() and not (
        target.is_dir()
        and ((target / MANIFEST_FILE).is_file() or not any(target.iterdir()))
    ):
        raise ValueError(
            f"{target} holds something other than an export. Pass another "
            "`output_dir`."
        )


def _load(settings):
    is_typed = settings.format == "saved_model"
    is_typed = is_typed and settings.precision == "bfloat16"
    dtype = "mixed_bfloat16" if is_typed else "float32"
    model = load_model(settings.pretrained, dtype=dtype)
    if type(model).__name__ not in TASKS:
        raise ValueError(
            f"{settings.pretrained} holds an {type(model).__name__}. Expected "
            f"one of {tuple(TASKS)}."
        )
    tokenizer = tokenizer_of(model)
    longest = model.config.max_sequence_length
    length = settings.max_seq_length or longest
    if not 0 < length <= longest:
        raise ValueError(
            f"`sequence_length` must be from 1 to {longest}, the model's "
            f"number of positions. Received: {length}."
        )
    model.preprocessor = AlbertPreprocessor(tokenizer, length)
    return model


def _requests(facts, columns, count):
    """The first requests that texts make, spread over the file."""
    total = len(columns[0])
    count = min(count, total)
    rows = [index * total // count for index in range(count)]
    taken = tuple([column[row] for row in rows] for column in columns)
    return example_requests(facts.model_class, taken)


def _least_agreement(settings, is_made_up):
    if settings.min_agreement is not None:
        return settings.min_agreement
    if is_made_up and settings.precision != "float32":
        return 0
    return _LEAST_AGREEMENT[settings.precision]
