"""The transformer block's work between its large matrix products.

`plain` states it in operations of Keras, for every backend. Where a backend
does not fuse these by itself, and a fused form has been measured to pay, a
module beside it has the same functions, with gradients of their own.
"""

import contextlib

import keras

from albert_keras.kernels import plain

_plain_only = False


def kernels_for(training):
    """The module of kernels for a call: `plain`, or a fused form of it.

    TensorFlow on a CPU runs one operation after another, each a pass over
    memory. While training its kernels are compiled by XLA, the products
    between them are not (in bfloat16 XLA's are several times slower there).
    Inference keeps to plain operations, so that a text of another length is
    not compiled anew.
    """
    if training and fuses_training():
        from albert_keras.kernels import tensorflow_cpu

        return tensorflow_cpu
    return plain


def kernels_for_classes(num_classes, training=True):
    """The module of kernels for scores of classes.

    Only a vocabulary is worth kernels of its own.
    """
    return kernels_for(training and (num_classes or 0) >= 1024)


@contextlib.contextmanager
def plain_kernels():
    """Uses plain operations inside of the context, to compare or to debug.

    For functions traced inside: what has been compiled stays as it is.
    """
    global _plain_only
    before, _plain_only = _plain_only, True
    try:
        yield
    finally:
        _plain_only = before


def fuses_training():
    """Whether training on this machine has kernels fused."""
    return (
        not _plain_only
        and keras.config.backend() == "tensorflow"
        and not keras.distribution.list_devices("gpu")
    )
