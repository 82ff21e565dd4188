"""LAMB's update of all variables as one operation."""

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu.compilation import operations


def apply_lamb(
    variables,
    moments,
    velocities,
    gradients,
    learning_rate,
    corrections,
    **attributes,
):
    """Updates variables, moments and velocities in place.

    Reads each twice and writes it once; in operations of Keras the update
    passes over memory a dozen times.

    Args:
        variables, moments, velocities: Lists of float32 Keras variables.
        gradients: List of float32 tensors, not clipped.
        learning_rate: Scalar.
        corrections: Factors of the bias correction, for moments and for
            velocities.
        **attributes: Attributes of the operation (`csrc/lamb.h`).
    """
    operations().albert_lamb(
        variables=_handles(variables),
        moments=_handles(moments),
        velocities=_handles(velocities),
        gradients=gradients,
        learning_rate=learning_rate,
        corrections=tf.stack(corrections),
        **attributes,
    )


def _handles(variables):
    return [variable.value.handle for variable in variables]
