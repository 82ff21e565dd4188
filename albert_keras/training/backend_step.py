"""Chooses the gradient step of the Keras backend in use."""

import keras


def train_step_of_backend():
    """The function that one `train_step` is, for the configured backend.

    Raises:
        ImportError: On a backend without one.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        from albert_keras.training.tensorflow_step import train_step
    elif backend == "jax":
        from albert_keras.training.jax_step import train_step
    else:
        raise ImportError(
            "albert_keras trains on the TensorFlow and JAX backends of "
            f"Keras. Received: backend {backend!r}. Set KERAS_BACKEND to "
            "'tensorflow' or 'jax'."
        )
    return train_step
