"""Selects the training step of the Keras backend in use."""

import keras


def import_backend_step():
    """Imports the module with the backend's `train_step` and `test_step`.

    Raises:
        ImportError: If the backend has none.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        from albert_keras.training.steps import tensorflow_step as step
    elif backend == "jax":
        from albert_keras.training.steps import jax_step as step
    elif backend == "torch":
        from albert_keras.training.steps import torch_step as step
    else:
        raise ImportError(
            "albert_keras trains on the TensorFlow, JAX and PyTorch backends "
            f"of Keras. Received: backend {backend!r}. Set KERAS_BACKEND to "
            "'tensorflow', 'jax' or 'torch'."
        )
    return step
