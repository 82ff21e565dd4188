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
    **fixed,
):
    """Updates variables, moments and velocities in place.

    Each is read twice and written once, where operations of Keras pass over
    memory a dozen times.

    Args:
        variables, moments, velocities: Keras variables of float32.
        gradients: Tensors of float32, not clipped.
        learning_rate: A scalar.
        corrections: What moments and velocities are multiplied by.
        **fixed: The attributes of the operation.
    """
    operations().albert_lamb(
        variables=_handles(variables),
        moments=_handles(moments),
        velocities=_handles(velocities),
        gradients=gradients,
        learning_rate=learning_rate,
        corrections=tf.stack(corrections),
        **fixed,
    )


def _handles(variables):
    return [variable.value.handle for variable in variables]
