"""The formats that this environment can write."""

import importlib.util

import pytest

from albert_keras.conversion import FORMATS

HAS_KERAS_HUB = importlib.util.find_spec("keras_hub") is not None
NO_KERAS_HUB = "KerasHub is not installed: it needs Python 3.11"
FORMATS_HERE = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name == "keras_hub" and not HAS_KERAS_HUB, reason=NO_KERAS_HUB
        ),
    )
    for name in FORMATS
]
