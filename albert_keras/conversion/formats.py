"""Reads and writes pretrained directories in four formats."""

import logging
from pathlib import Path
from typing import Any

import sentencepiece

from albert_keras.config import AlbertConfig
from albert_keras.conversion import (
    google_checkpoint,
    huggingface,
    keras_format,
    keras_hub,
)
from albert_keras.conversion.model_card import CARD_FILE, model_card
from albert_keras.conversion.pretrained_parts import (
    PretrainedParts,
    check_arguments,
)
from albert_keras.conversion.weight_names import weights_of
from albert_keras.conversion.weight_translation import fits, listed
from albert_keras.files.atomic_write import atomic_directory
from albert_keras.problems import MULTI_LABEL

# Each module has `recognizes(directory)`, `read(directory)`,
# `read_tokenizer(directory)`, `check(parts)`, `write(directory, parts)` and
# `FILES`.
FORMATS = {
    "keras": keras_format,
    "keras_hub": keras_hub,
    "huggingface": huggingface,
    "google": google_checkpoint,
}
# Formats that store neither what the logits of a classifier mean nor float64.
_WITHOUT_CLASSES = _ONLY_FLOAT32 = ("google", "keras_hub")
_logger = logging.getLogger(__name__)


def format_of(directory: str | Path) -> str | None:
    """Returns the name of a directory's format; None if it has none.

    Raises:
        ValueError: If its configuration file is damaged.
    """
    directory = Path(directory)
    for name, format in FORMATS.items():
        if format.recognizes(directory):
            return name
    return None


def read_pretrained(directory: str | Path) -> PretrainedParts:
    """Reads the `PretrainedParts` in a directory of any format.

    Raises:
        ValueError: If the format is unknown or the architecture is not
            ALBERT, a file is damaged, or configuration, weights and
            vocabulary do not match.
    """
    directory = Path(directory)
    name = format_of(directory)
    if name is None:
        raise ValueError(unknown_directory(directory))
    parts = FORMATS[name].read(directory)
    if parts.vocabulary is not None:
        check_vocabulary(parts.vocabulary, parts.config, directory)
    if "classifier/bias" in parts.weights:
        parts.arguments["num_classes"] = len(parts.weights["classifier/bias"])
    check_arguments(directory, parts.arguments)
    return parts


def read_tokenizer(directory: str | Path) -> dict[str, Any]:
    """Reads the vocabulary and tokenizer settings of a directory.

    Returns:
        `{"vocabulary": bytes or None, "tokenizer": dict}`.
    """
    directory = Path(directory)
    if (directory / keras_format.VOCABULARY_FILE).is_file():
        return keras_format.read_tokenizer(directory)  # or a prepared corpus
    name = format_of(directory)
    if name is None:
        raise ValueError(unknown_directory(directory))
    return FORMATS[name].read_tokenizer(directory)


def write_pretrained(
    directory: str | Path, parts: PretrainedParts, format: str = "keras"
) -> None:
    """Writes a directory in a format, atomically.

    Args:
        directory: Path; an earlier pretrained directory is replaced.
        parts: `PretrainedParts`.
        format: A key of `FORMATS`.

    Raises:
        ValueError: If the format is unknown or cannot store the model, or the
            directory holds something other than a pretrained model.
    """
    directory = Path(directory)
    check_writable(directory, parts, format)
    with atomic_directory(directory) as temporary:
        dropped = write_files(temporary, parts, format)
    if dropped:
        _logger.warning(
            "%s: the format %r cannot store %s; not written.",
            directory,
            format,
            ", ".join(dropped),
        )
    _report_head_epsilon(directory, parts, format)
    types = {str(array.dtype) for array in parts.weights.values()}
    if format in _ONLY_FLOAT32 and "float64" in types:
        _logger.warning(
            "%s: the format %r stores float32, to which float64 weights were "
            "rounded. The formats 'keras' and 'huggingface' keep float64.",
            directory,
            format,
        )


def write_files(
    directory: str | Path, parts: PretrainedParts, format: str
) -> list[str]:
    """Writes a model's files to a directory; returns what was not stored."""
    check_complete(parts)
    dropped = FORMATS[format].write(Path(directory), parts)
    if format in _WITHOUT_CLASSES:
        arguments = parts.arguments
        lost = [n for n in ("class_names", "thresholds") if arguments.get(n)]
        if arguments.get("problem") == MULTI_LABEL:
            lost.append("problem")
        dropped = [*dropped, *lost]
    card = model_card(parts, format)
    (Path(directory) / CARD_FILE).write_text(card, encoding="utf-8")
    return dropped


def _report_head_epsilon(directory, parts, format):
    """Warns if the format's masked-LM head uses a different epsilon."""
    if format == "keras" or "mlm_head/output_bias" not in parts.weights:
        return
    epsilon = parts.config.layer_norm_epsilon
    ours = parts.arguments.get("head_epsilon") or epsilon
    theirs = keras_hub.MASKED_LM_EPSILON if format == "keras_hub" else epsilon
    if ours != theirs:
        _logger.warning(
            "%s: models of the format %r have head_epsilon %g, this one has "
            "%g: masked-LM logits will differ slightly.",
            directory,
            format,
            theirs,
            ours,
        )


def check_writable(
    directory: str | Path, parts: PretrainedParts, format: str
) -> None:
    """Raises if `write_pretrained` would fail, before anything is written."""
    if format not in FORMATS:
        raise ValueError(
            f"`format` must be one of {sorted(FORMATS)}. Received: {format!r}."
        )
    check_complete(parts)
    if format != "keras":
        if parts.quantized_layers:
            raise ValueError(
                "Only the format 'keras' stores quantized models. Received: "
                f"format={format!r} and int8 kernels of "
                f"{listed(parts.quantized_layers)}. Save the model as it was "
                'before `quantize`, or with `format="keras"`.'
            )
        if parts.config.pre_layer_norm:
            raise ValueError(
                "Only the format 'keras' stores models with "
                f"`pre_layer_norm`. Received: format={format!r}."
            )
        FORMATS[format].check(parts)
    if parts.vocabulary is not None:
        check_vocabulary(parts.vocabulary, parts.config, "the tokenizer")
    check_replaceable(directory)


def check_complete(parts: PretrainedParts) -> None:
    """Raises if files of these parts could not be read back.

    They must have every weight of the backbone, and the weights of the table
    `weights_of` must have its shapes.
    """
    missing = []
    for weight in weights_of(parts.config):
        name, array = weight.name, parts.weights.get(weight.name)
        if array is None:
            optional = name.startswith(parts.absent)
            if name.startswith("backbone/") and not optional:
                missing.append(name)
        elif not fits(array.shape, weight.shape):
            raise ValueError(
                f"The weight {name} of the {parts.model_class} has the shape "
                f"{array.shape}, but the layer of this name has "
                f"{weight.shape}: a file with it could not be read. Give a "
                "custom layer another name."
            )
    if missing:
        raise ValueError(
            f"The {parts.model_class} lacks {len(missing)} weights of its "
            f"configuration: {listed(missing)}. A file without them could not "
            "be read. Save a model whose backbone is whole."
        )


def check_vocabulary(
    vocabulary: bytes, config: AlbertConfig, source: str | Path
) -> None:
    """Raises unless the vocabulary has the size of the token embedding."""
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=vocabulary)
    except RuntimeError as error:
        raise ValueError(
            f"The vocabulary in {source} is not a SentencePiece model: {error}"
        ) from error
    pieces = processor.get_piece_size()
    if pieces != config.vocabulary_size:
        raise ValueError(
            f"The vocabulary of {source} does not fit the model: it has "
            f"{pieces} pieces, the token embedding {config.vocabulary_size}. "
            "Pass the vocabulary that the model was trained with."
        )


def check_replaceable(directory: str | Path) -> None:
    """Raises unless a directory is new or holds only a pretrained model."""
    directory = Path(directory)
    if not directory.exists():
        return
    if not directory.is_dir():
        raise ValueError(f"{directory} is a file. Pass a directory.")
    written = {CARD_FILE}.union(*(format.FILES for format in FORMATS.values()))
    others = sorted({p.name for p in directory.iterdir()} - written)
    if others:
        raise ValueError(
            f"{directory} holds something other than a pretrained model: "
            f"{', '.join(others[:8])}. Pass a new directory."
        )


def unknown_directory(directory: Path) -> str:
    """Returns the error message for a directory of unknown format."""
    contents = "There is no such directory."
    if directory.is_dir():
        names = sorted(path.name for path in directory.iterdir())[:8]
        contents = f"It holds: {', '.join(names) or 'nothing'}."
    hint = ""
    if (directory / "bert_config.json").is_file():
        hint = " bert_config.json belongs to BERT: another architecture."
    return (
        f"{directory} is not a pretrained directory. {contents}{hint} "
        "Known formats are this package's (albert_keras.json), Google's "
        "(albert_config.json), Hugging Face's and KerasHub's (config.json), "
        "and the output directory of a pretraining run."
    )
