"""Optimizer state in float32 for weights in bfloat16 or float16."""

import keras


class Float32Moments(keras.optimizers.Optimizer):
    """An optimizer whose moments are float32 for any type of weights.

    Keras gives them the type of the weights: float16 holds no square of a
    gradient below 0.0002, and adding a thousandth changes no bfloat16.
    """

    def add_variable_from_reference(
        self, reference_variable, name=None, initializer="zeros"
    ):
        if not is_low_precision(reference_variable):
            return super().add_variable_from_reference(
                reference_variable, name=name, initializer=initializer
            )
        path = reference_variable.path.replace("/", "_")
        return self.add_variable(
            shape=reference_variable.shape,
            initializer=initializer,
            dtype="float32",
            name=f"{path}_{name}",
        )


def is_low_precision(variable):
    """Whether a variable has fewer bits than float32."""
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return dtype in ("bfloat16", "float16")
