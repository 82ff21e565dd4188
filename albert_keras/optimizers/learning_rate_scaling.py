"""Scaling of the learning rate with the batch size."""

import math


def square_root_scaling(
    global_batch: int,
    reference_rate: float = 0.00176,
    reference_batch: int = 4096,
) -> float:
    """Scales the peak learning rate with the square root of the batch size.

    The rule of LAMB (You et al. 2020, arXiv:1904.00962, section 4).

    Args:
        global_batch: Rows of an update over all ranks.
        reference_rate, reference_batch: A learning rate and a batch size that
            work together; the defaults are ALBERT's.

    Returns:
        reference_rate * sqrt(global_batch / reference_batch).

    Raises:
        ValueError: If `global_batch` is not positive.
    """
    if global_batch < 1:
        raise ValueError(
            f"`global_batch` must be positive. Received: {global_batch}."
        )
    return reference_rate * math.sqrt(global_batch / reference_batch)
