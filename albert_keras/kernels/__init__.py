"""The transformer block's work between its large matrix products.

`plain` states it in operations of Keras, for every backend. Where a backend
does not fuse these by itself, and a fused form has been measured to pay, a
module beside it has the same functions, with gradients of their own.
"""

import contextlib

import keras

from albert_keras.kernels import reference

_chosen = None  # "plain" or "fused", inside of a context


def kernels_for(training):
    """The module of kernels for a call: `plain`, or a fused form of it.

    TensorFlow on a CPU runs one operation after another, each a pass over
    memory. Training there has operations of our own; so have `predict` and
    `evaluate`, which ask for `fused_kernels`. Other inference has plain
    operations, so that a saved function runs anywhere. So has everything
    that XLA compiles, which does not know ours.
    """
    wanted = _chosen == "fused" or (training and _chosen is None)
    if wanted and can_fuse():
        from albert_keras.kernels import tensorflow_cpu

        return tensorflow_cpu
    return reference


def kernels_for_classes(num_classes, training=True):
    """The module of kernels for scores of classes.

    Only a vocabulary is worth kernels of its own.
    """
    if (num_classes or 0) < 1024:
        return reference
    return kernels_for(training)


@contextlib.contextmanager
def plain_kernels():
    """Uses plain operations inside of the context, to compare or to debug.

    For functions traced inside: what has been compiled stays as it is.
    """
    with _choose("plain"):
        yield


@contextlib.contextmanager
def fused_kernels():
    """Uses fused kernels for inference, too, inside of the context.

    For functions traced inside. Inside of `plain_kernels` it changes nothing.
    """
    with _choose(_chosen or "fused"):
        yield


@contextlib.contextmanager
def _choose(form):
    global _chosen
    before, _chosen = _chosen, form
    try:
        yield
    finally:
        _chosen = before


def can_fuse():
    """Whether this machine has fused kernels."""
    if not on_tensorflow_cpu():
        return False
    from albert_keras.kernels.tensorflow_cpu.compilation import operations

    return operations() is not None


def on_tensorflow_cpu():
    """Whether models run by TensorFlow on a CPU."""
    return (
        keras.config.backend() == "tensorflow"
        and not keras.distribution.list_devices("gpu")
    )
