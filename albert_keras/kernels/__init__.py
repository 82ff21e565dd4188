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
from albert_keras.kernels.keras_steps import runs_in_keras_step

# Vocabularies have more classes. Tasks, and spans of up to 512 positions, have
# fewer and would gain only milliseconds: loss, gradient and accuracy of 640
# targets took 4.1 ms of CPU time by the reference and 1.3 ms fused with 512
# classes, 331 ms and 103 ms with 30,000 (float32, AMD EPYC, November 2026).
MIN_FUSED_CLASSES = 1024

_FUSED_TYPES = ("float32", "bfloat16", "float16")

# "reference" or "fused" inside the contexts below, otherwise None. Every thread
# has its own value: tracing `predict` in one does not affect another.
_choice: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "albert_keras_kernels", default=None
)


def choose_kernels(dtype):
    """Returns the kernels for one call of a layer.

    Fused kernels have gradients of the first order only, and neither XLA nor
    a server knows their operations. So they are used where nothing else is
    done with them: inside `fused_kernels`, which `fit`, `evaluate` and
    `predict` of this package's models enter, and the backbone if those of
    another Keras model call it. All other calls, such as those of a custom
    training loop, use the reference.

    Args:
        dtype: The compute type.

    Returns:
        The module `reference`, or a package with the same functions.
    """
    dtype = keras.backend.standardize_dtype(dtype)
    if dtype in _FUSED_TYPES and uses_fused_kernels():
        from albert_keras.kernels import tensorflow_cpu

        return tensorflow_cpu
    return reference


def kernels_for_classes(num_classes, dtype):
    """Returns the kernels for logits, cross entropy and accuracy.

    Args:
        num_classes: Size of the last axis of the logits; None if unknown.
        dtype: Type of the logits.
    """
    if (num_classes or 0) < MIN_FUSED_CLASSES:
        return reference
    return choose_kernels(dtype)


def lamb_kernel():
    """Returns the fused update of LAMB, or None where it is not used."""
    if uses_fused_kernels():
        from albert_keras.kernels.tensorflow_cpu.lamb import apply_lamb

        return apply_lamb
    return None


def uses_fused_kernels():
    """Whether calls in this context use fused kernels."""
    return _choice.get() == "fused" and can_fuse() and not _compiles_with_xla()


def _compiles_with_xla():
    """Whether the function that TensorFlow is tracing, or one around it, is
    compiled by XLA."""
    import tensorflow as tf

    return tf.__internal__.get_enclosing_xla_context() is not None


@contextlib.contextmanager
def plain_kernels():
    """Uses the reference kernels inside the context, to compare or to debug.

    Applies to functions traced inside; compiled functions keep their kernels.
    """
    with _choose("reference"):
        yield


@contextlib.contextmanager
def fused_kernels():
    """Uses fused kernels inside the context, where the machine has them.

    For a custom training loop, or a model with a `train_step` of its own:

    ```python
    with albert_keras.kernels.fused_kernels():
        model.fit(...)
    ```

    Applies to functions traced inside; compiled functions keep their kernels.
    Has no effect inside `plain_kernels`, in functions that XLA compiles, and
    in `export`.
    """
    with _choose(_choice.get() or "fused"):
        yield


@contextlib.contextmanager
def kernels_of_caller():
    """Uses fused kernels inside the context if it is safe for the caller.

    That is inside `fit`, `evaluate` and `predict` of any Keras model, see
    `runs_in_keras_step`.
    """
    choice = _choice.get()
    if choice is None and on_tensorflow_cpu() and runs_in_keras_step():
        choice = "fused"
    with _choose(choice):
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
