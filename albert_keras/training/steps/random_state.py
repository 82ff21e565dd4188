"""Random states of ranks and devices, and temporary seeding."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

# Difference between the seeds of neighboring ranks or devices. Odd, so that
# all seeds differ modulo 2^32, and large, so that they stay far apart.
SEED_STEP = 0x9E3779B1


def is_random_state(variable):
    """Whether a Keras variable is the state of a seed generator."""
    return variable.name == "seed_generator_state"


@contextlib.contextmanager
def seeded(seed: Any) -> Iterator[None]:
    """Seeds Python's and NumPy's generators and restores them afterwards.

    Keras seeds the initializers and the dropout of layers created inside from
    Python's generator. Layers created before keep their own random states.

    Args:
        seed: An integer.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
