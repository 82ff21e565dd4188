"""How the learning rate goes with the batch."""

import math


def square_root_scaling(
    global_batch: int,
    reference_rate: float = 0.00176,
    reference_batch: int = 4096,
) -> float:
    """LAMB's rule: the peak rate grows with the root of the batch.

    Args:
        global_batch: Rows of an update, on all ranks.
        reference_rate, reference_batch: A pair that is known to work; the
            default is ALBERT's.

    Returns:
        reference_rate * sqrt(global_batch / reference_batch) (You et al.
        2020, arXiv:1904.00962, section 4).

    Raises:
        ValueError: If the batch is not positive.
    """
    if global_batch < 1:
        raise ValueError(
            f"`global_batch` must be positive. Received: {global_batch}."
        )
    return reference_rate * math.sqrt(global_batch / reference_batch)
