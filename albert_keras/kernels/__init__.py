"""Kernels: the computations of the transformer block, and which form is used.

`reference` implements them in operations of `keras.ops`, for every backend.
`tensorflow_cpu` has fused forms for TensorFlow on a CPU, with hand-written
gradients, where these were measured to be faster.

The encoder (or a layer that is called alone) asks once per call and hands the
kernels down. The MLM head, losses, metrics and LAMB ask for themselves.
"""

import contextlib
import contextvars

import keras

from albert_keras.kernels import reference

# Vocabularies have more classes. Tasks, and spans of up to 512 positions, have
# fewer and would gain only milliseconds: loss, gradient and accuracy of 640
# targets took 4.1 ms of CPU time by the reference and 1.3 ms fused with 512
# classes, 331 ms and 103 ms with 30,000 (float32, AMD EPYC, November 2026).
MIN_FUSED_CLASSES = 1024

# "reference" or "fused" inside the contexts below, otherwise None. Every thread
# has its own value: tracing `predict` in one does not affect another.
_choice: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "albert_keras_kernels", default=None
)


def kernels_for(training):
    """Returns the kernels for one call of a layer.

    By default training uses fused kernels and inference the reference, so that
    an exported function runs wherever TensorFlow does. `predict` and `evaluate`
    are traced inside `fused_kernels`. What XLA compiles is traced inside
    `plain_kernels`, since XLA does not know custom operations.

    Args:
        training: Whether the call is part of a training step.

    Returns:
        The module `reference`, or a package with the same functions.
    """
    choice = _choice.get()
    wants_fused = training if choice is None else choice == "fused"
    if wants_fused and can_fuse():
        from albert_keras.kernels import tensorflow_cpu

        return tensorflow_cpu
    return reference


def kernels_for_classes(num_classes, training=True):
    """Returns the kernels for logits, cross entropy and accuracy.

    Args:
        num_classes: Size of the last axis of the logits; None if unknown.
        training: As for `kernels_for`. Losses and metrics use the default,
            since they are never part of an exported function.
    """
    if (num_classes or 0) < MIN_FUSED_CLASSES:
        return reference
    return kernels_for(training)


def lamb_kernel():
    """Returns the fused update of LAMB, or None.

    None outside `fused_kernels`, which the training step enters: other callers
    may let XLA compile the update, and XLA does not know custom operations.
    """
    if _choice.get() == "fused" and can_fuse():
        from albert_keras.kernels.tensorflow_cpu.lamb import apply_lamb

        return apply_lamb
    return None


@contextlib.contextmanager
def plain_kernels():
    """Uses the reference kernels inside the context, to compare or to debug.

    Applies to functions traced inside; compiled functions keep their kernels.
    """
    with _choose("reference"):
        yield


@contextlib.contextmanager
def fused_kernels():
    """Uses fused kernels inside the context for inference as well.

    Applies to functions traced inside; compiled functions keep their kernels.
    Has no effect inside `plain_kernels`.
    """
    with _choose(_choice.get() or "fused"):
        yield


@contextlib.contextmanager
def _choose(choice):
    token = _choice.set(choice)
    try:
        yield
    finally:
        _choice.reset(token)


def can_fuse():
    """Whether this machine has fused kernels; compiles them the first time."""
    if not on_tensorflow_cpu():
        return False
    from albert_keras.kernels.tensorflow_cpu.compilation import operations

    return operations() is not None


def on_tensorflow_cpu():
    """Whether models run on TensorFlow on a CPU."""
    return (
        keras.config.backend() == "tensorflow"
        and not keras.distribution.list_devices("gpu")
    )
