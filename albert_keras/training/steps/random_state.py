"""Random states: those of ranks and devices, and those of a run."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

# From one rank or device to the next. Odd, so that they differ, and large, so
# that seeds stay far apart.
SEED_STEP = 0x9E3779B1


def is_random_state(variable):
    """Whether a Keras variable is the state of a seed generator."""
    return "seed_generator_state" in variable.path


@contextlib.contextmanager
def seeded(seed: Any) -> Iterator[None]:
    """Seeds Python's and NumPy's generators, and puts them back afterwards.

    Keras seeds the initializers and the dropout of layers that are made inside
    from Python's. Layers that were made before have states of their own.

    Args:
        seed: Integer.
    """
    python, numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
