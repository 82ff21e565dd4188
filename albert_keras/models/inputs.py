"""Checks the inputs of models: their names, shapes and values."""

import difflib
import functools
from collections.abc import Mapping

from keras import ops

from albert_keras.kernels.value_ranges import IntegerRange, position_range

# The axes of inputs: B rows, T tokens, P positions, C choices, E the width of
# the token embeddings.
SEQUENCES = {"token_ids": "BT", "segment_ids": "BT", "padding_mask": "BT"}
_REQUIRED = ("token_ids", "mask_positions")
# Embeddings that replace `token_ids`.
EMBEDDINGS = "inputs_embeds"
# Inputs of heads, and what the tokenizer adds with `return_offsets`. Other
# models leave them out, so that a batch also serves the model's backbone.
_OF_OTHERS = ("mask_positions", "answer_mask", "offsets")
# Names that Hugging Face's tokenizers give the same inputs: accepted as well.
_OTHER_NAMES = {
    "input_ids": "token_ids",
    "token_type_ids": "segment_ids",
    "attention_mask": "padding_mask",
}
# The inputs that other names probably mean; None for those without one.
_COUNTERPARTS = {
    "input_word_ids": "token_ids",
    "ids": "token_ids",
    "tokens": "token_ids",
    "input_mask": "padding_mask",
    "mask": "padding_mask",
    "input_type_ids": "segment_ids",
    "type_ids": "segment_ids",
    "masked_lm_positions": "mask_positions",
    "masked_positions": "mask_positions",
    "p_mask": "answer_mask",
    "position_ids": None,
    "labels": None,
}


def select_inputs(model, inputs):
    """Returns the inputs of a model that are given, by its own names.

    Args:
        model: A model whose `input_axes` lists its inputs and their axes.
        inputs: What its `call` received; an input that is None is not given.

    Raises:
        ValueError: If `inputs` is no dictionary, an input is unknown, missing
            or given twice, or shapes do not fit.
    """
    given = {
        name: tensor
        for name, tensor in by_own_names(model, inputs).items()
        if tensor is not None
    }
    shapes = {name: _shape_of(name, tensor) for name, tensor in given.items()}
    check_shapes(model, shapes)
    axes = model.input_axes
    selected = {name: given[name] for name in axes if name in given}
    tokens = selected.get("token_ids")
    if tokens is None:
        tokens = selected[EMBEDDINGS][..., 0]
    for name, tensor in selected.items():
        if axes[name] == axes["token_ids"] and None in shapes[name]:
            # Checks when it runs what is unknown now.
            shape = ops.shape(tokens)
            selected[name] = ops.reshape(tensor, shape)
    return selected


def by_own_names(model, inputs):
    """Returns a dictionary by the names of `input_axes`.

    Args:
        model: As for `select_inputs`.
        inputs: A dictionary, also by Hugging Face's names.

    Raises:
        ValueError: If it is no dictionary, or has an input twice.
    """
    if not isinstance(inputs, Mapping):
        received = f"{type(inputs).__name__}"
        if hasattr(inputs, "shape"):
            received = f"a tensor of the shape {tuple(inputs.shape)}"
        raise ValueError(
            f"The inputs of {type(model).__name__} must be a dictionary with "
            f"the keys {list(model.input_axes)}. Received: {received}. Pass "
            "{'token_ids': ...}, or the dictionary of an `AlbertTokenizer`."
        )
    renamed = {_OTHER_NAMES.get(name, name): v for name, v in inputs.items()}
    if len(renamed) < len(inputs):
        raise ValueError(
            f"{type(model).__name__} needs each input once. Received: "
            f"{list(inputs)}. Remove {sorted(set(inputs) & set(_OTHER_NAMES))}."
        )
    return renamed


def check_shapes(model, shapes):
    """Checks names and shapes of the inputs of a model.

    Args:
        model: As for `select_inputs`.
        shapes: The shape of each input, by the model's own names; a size that
            is None is unknown, and a shape that is None has an unknown rank.

    Raises:
        ValueError: As for `select_inputs`.
    """
    _check_names(model, shapes)
    axes = {k: v for k, v in model.input_axes.items() if k in shapes}
    sizes = {}
    fits = all(len(shapes[name] or ()) == len(axes[name]) for name in axes)
    for name in axes if fits else ():
        for axis, size in zip(axes[name], shapes[name], strict=True):
            if isinstance(size, int) and sizes.setdefault(axis, size) != size:
                fits = False
    if not fits or sizes.get("T") == 0:
        expected = ", ".join(
            f"{name} ({', '.join(axes[name])})" for name in axes
        )
        received = ", ".join(
            f"{name} {shapes[name] or 'of unknown rank'}" for name in axes
        )
        raise ValueError(
            f"The inputs of {type(model).__name__} must have the shapes "
            f"{expected}, with T at least 1. Received: {received}. Pad all "
            "rows to one length, and pass one row as an array of one row."
        )


def merge_choices(inputs):
    """Makes each choice a row: `(B, C, T)` to `(B C, T)`.

    Returns:
        (inputs, B, C).
    """
    rows, choices, length = ops.shape(inputs["token_ids"])
    flat = {
        name: ops.reshape(array, (rows * choices, length))
        for name, array in inputs.items()
    }
    return flat, rows, choices


def check_values(inputs, config):
    """Checks the values of the backbone's inputs.

    For what happens in compiled functions, see `kernels.value_ranges`.

    Args:
        inputs: A dictionary of `select_inputs`.
        config: The `AlbertConfig` of the model.

    Returns:
        The inputs, with 0 in place of values out of range, and booleans
        `(B,)`: which rows have none; None if all rows are known to have none.

    Raises:
        ValueError: If values that are known are out of range.
    """
    checked, rows = {}, []
    tokens = inputs.get("token_ids", inputs.get(EMBEDDINGS))
    ranges = _ranges(config, length=ops.shape(tokens)[1])
    for name, tensor in inputs.items():
        if name == EMBEDDINGS:
            checked[name] = tensor
            continue
        checked[name], in_range = ranges[name].check(tensor)
        if in_range is not None:
            rows.append(ops.all(in_range, axis=1))
    if not rows:
        return checked, None
    return checked, functools.reduce(ops.logical_and, rows)


def mask_range(name):
    """The values of a mask."""
    return IntegerRange(
        name,
        size=2,
        size_name="number of values",
        rule=f"`{name}` must be 0 or 1.",
        remedy="Pass 1 for tokens to use and 0 for others.",
    )


def _ranges(config, length):
    return {
        "token_ids": IntegerRange(
            "token_ids",
            size=config.vocabulary_size,
            size_name="vocabulary_size",
            rule="`token_ids` must be between 0 and `vocabulary_size` - 1.",
            remedy="The text was probably encoded with another vocabulary; "
            "use the tokenizer that belongs to the model.",
        ),
        "segment_ids": IntegerRange(
            "segment_ids",
            size=config.num_segments,
            size_name="num_segments",
            rule="`segment_ids` must be between 0 and `num_segments` - 1.",
            remedy="Number the segments of a row from 0, or create the model "
            "with a larger `num_segments`.",
        ),
        "padding_mask": mask_range("padding_mask"),
        "read_positions": position_range("positions", length),
    }


def _check_names(model, names):
    known = list(model.input_axes)
    unknown = [name for name in names if name not in (*known, *_OF_OTHERS)]
    if unknown:
        raise ValueError(
            f"The inputs of {type(model).__name__} must be among {known}. "
            f"Received: {', '.join(map(repr, unknown))}. "
            f"{' '.join(_remedy(name, known) for name in unknown)}"
        )
    has_embeddings = EMBEDDINGS in known and EMBEDDINGS in names
    if has_embeddings and "token_ids" in names:
        raise ValueError(
            f"{type(model).__name__} takes 'token_ids' or {EMBEDDINGS!r}. "
            f"Received: {list(names)}. Remove one of them."
        )
    for name in known:
        if name == "token_ids" and has_embeddings:
            continue
        if name in _REQUIRED and name not in names:
            raise ValueError(
                f"{type(model).__name__} needs the input {name!r}. Received: "
                f"{list(names)}. Add it to the dictionary."
            )


def _remedy(name, known):
    meant = _COUNTERPARTS.get(name)
    if name not in _COUNTERPARTS:
        names = [*known, *_OTHER_NAMES]
        (meant,) = difflib.get_close_matches(str(name), names, 1) or [None]
        meant = _OTHER_NAMES.get(meant, meant)
    if meant in known:
        return f"Rename {name!r} to {meant!r}."
    return f"Remove {name!r}."


def _shape_of(name, tensor):
    """Shape of a tensor as a tuple; None if its rank is unknown."""
    if not hasattr(tensor, "shape"):
        raise ValueError(
            f"`{name}` must be one tensor. Received: "
            f"{type(tensor).__name__}. Convert it to an array."
        )
    try:
        return tuple(tensor.shape)
    except ValueError:  # TensorFlow, for an unknown rank
        return None
