"""The initializer of ALBERT's matrices and embedding tables."""

import keras


def albert_initializer(stddev=0.02):
    """Returns a truncated normal initializer, cut at two deviations.

    The standard deviation of the values is about 0.88 `stddev`, as in Google's
    release. Every call returns a new instance, since Keras seeds an instance
    only once.

    Args:
        stddev: Standard deviation before the cut.
    """
    return keras.initializers.TruncatedNormal(stddev=stddev)
