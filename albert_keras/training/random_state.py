"""Random numbers that leave those of a run as they were."""

import contextlib
import random

import numpy as np


@contextlib.contextmanager
def seeded(seed):
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
