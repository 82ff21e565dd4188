"""The initializer of every ALBERT matrix and table."""

import keras


def albert_initializer(stddev=0.02):
    """Truncated normal cut at two standard deviations.

    The realised deviation is about 0.88 of `stddev`, as in Google's release.
    A new instance each time, since Keras seeds an instance once.
    """
    return keras.initializers.TruncatedNormal(stddev=stddev)
