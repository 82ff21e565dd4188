"""The computation of the transformer block, and the choice between its forms.

`reference` has every kernel in operations of `keras.ops`, for all backends.
Where a fused form was measured to be faster, a package with the same functions
and hand-written gradients replaces it: `tensorflow_cpu` for TensorFlow on a
CPU.

Who asks: the encoder (or a layer that is called alone) once per call, and hands
the kernels down to what it calls; the MLM head, losses, metrics and LAMB for
themselves.
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

# "reference" or "fused" inside one of the contexts below. Each thread has its
# own value, so one that traces `predict` does not change what another traces.
_choice: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "albert_keras_kernels", default=None
)


def kernels_for(training):
    """The kernels of one call of a layer: `reference` or a fused form of it.

    By default training uses fused kernels and inference the reference, so that
    an exported function runs wherever TensorFlow does. `predict` and `evaluate`
    are traced inside `fused_kernels`. What XLA compiles is traced inside
    `plain_kernels`, since XLA does not know custom operations.

    Args:
        training: Whether the call is part of a training step.
    """
    choice = _choice.get()
    wants_fused = training if choice is None else choice == "fused"
    if wants_fused and can_fuse():
        from albert_keras.kernels import tensorflow_cpu

        return tensorflow_cpu
    return reference


def kernels_for_classes(num_classes, training=True):
    """The kernels for logits, cross entropy and accuracy of classes.

    Args:
        num_classes: Size of the last axis of the logits; None if unknown.
        training: As for `kernels_for`. Losses and metrics keep the default:
            they are never part of an exported function.
    """
    if (num_classes or 0) < MIN_FUSED_CLASSES:
        return reference
    return kernels_for(training)


def lamb_kernel():
    """The fused update of LAMB, or None.

    Only `fused_kernels` asks for it, as the training step does: another caller
    may have XLA compile the update, which does not know custom operations.
    """
    if _choice.get() == "fused" and can_fuse():
        from albert_keras.kernels.tensorflow_cpu.lamb import apply_lamb

        return apply_lamb
    return None


@contextlib.contextmanager
def plain_kernels():
    """Uses the reference kernels inside the context, to compare or to debug.

    It counts when a function is traced: compiled functions keep their kernels.
    """
    with _choose("reference"):
        yield


@contextlib.contextmanager
def fused_kernels():
    """Uses fused kernels for inference, too, inside the context.

    It counts when a function is traced: compiled functions keep their kernels.
    Inside `plain_kernels` it has no effect.
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
