"""Compares the outputs of two models."""

import numpy as np
from keras import ops


def compare_outputs(first, second, batch_size=4, seed=0):
    """Finds the largest differences between two models on a random input.

    The input has two segments and rows from a quarter of the length to the
    full length, so that padding takes part.

    Args:
        first, second: Two of this package's models of the same size.
        batch_size: Rows of the input.
        seed: Seed of the input.

    Returns:
        The largest absolute difference of each output that both have.

    Raises:
        ValueError: If the models' vocabularies differ in size, or they have
            no output in common.
    """
    if first.config.vocabulary_size != second.config.vocabulary_size:
        raise ValueError(
            "The models must have vocabularies of the same size. Received: "
            f"{first.config.vocabulary_size} and "
            f"{second.config.vocabulary_size} tokens."
        )
    inputs = random_inputs(first.config, batch_size, seed)
    outputs = all_outputs(first, inputs)
    others = all_outputs(second, inputs)
    common = [name for name in outputs if name in others]
    if not common:
        raise ValueError(
            "The models have no output in common. Received: "
            f"{sorted(outputs)} and {sorted(others)}."
        )
    return {name: _distance(outputs[name], others[name]) for name in common}


def random_inputs(config, batch_size=4, seed=0, length=64):
    """Makes a padded batch of random ids in two segments, with masks."""
    rng = np.random.default_rng(seed)
    length = min(length, config.max_sequence_length)
    shape = (batch_size, length)
    position = np.arange(length)
    lengths = np.linspace(length, max(2, length // 4), batch_size, dtype=int)
    return {
        "token_ids": rng.integers(0, config.vocabulary_size, shape, "int32"),
        "segment_ids": np.where(
            position >= lengths[:, None] // 2, config.num_segments - 1, 0
        ).astype("int32"),
        "padding_mask": (position < lengths[:, None]).astype("int32"),
        "mask_positions": rng.integers(
            0, lengths[:, None], (batch_size, 3)
        ).astype("int32"),
    }


def all_outputs(model, inputs):
    """Returns the outputs of a model and its backbone, without padding."""
    backbone = getattr(model, "backbone", model)
    outputs = dict(backbone(inputs))
    if backbone is not model and "Choice" not in type(model).__name__:
        outputs |= model(inputs)
    real = inputs["padding_mask"].astype(bool)
    arrays = {}
    for name, output in outputs.items():
        array = ops.convert_to_numpy(ops.cast(output, "float32"))
        per_token = array.shape[:2] == real.shape
        arrays[name] = array[real] if per_token else array
    return arrays


def _distance(a, b):
    if a.shape != b.shape:
        return float("inf")
    return float(np.abs(a - b).max(initial=0.0))
