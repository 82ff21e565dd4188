"""Finds out whether a call comes from `fit`, `evaluate` or `predict` of Keras.

A custom model around a backbone is trained by Keras's own `train_step`, which
computes a gradient once and is never exported, so that fused kernels are safe
in it. The stack of Python calls shows this while TensorFlow traces the step,
in every thread for itself. In doubt the answer is no.
"""

import sys

import keras

# Functions with these names may differentiate twice, vectorize operations, or
# keep what they traced for an export.
_OTHER_USES = frozenset(
    {
        *("GradientTape", "ForwardAccumulator", "gradient", "gradients"),
        *("jacobian", "batch_jacobian", "hessians", "vectorized_map"),
    }
)
_KNOWN_PACKAGES = ("keras", "tensorflow", "albert_keras", "contextlib")
_TRACING = "tensorflow.python.eager.polymorphic_function"


def runs_in_keras_step():
    """Whether `train_step`, `test_step` or `predict_step` of Keras calls.

    Only if they are Keras's own, with nothing in between that traces a
    `tf.function` or names a gradient.
    """
    steps = {
        getattr(keras.Model, name).__code__
        for name in ("train_step", "test_step", "predict_step")
    }
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code in steps:
            return True
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_TRACING):
            return False
        if module.partition(".")[0] not in _KNOWN_PACKAGES:
            if not _OTHER_USES.isdisjoint(frame.f_code.co_names):
                return False
        frame = frame.f_back
    return False
