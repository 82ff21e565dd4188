"""Keeps a model whole when `fit`, `evaluate` or `predict` fails under JAX."""

import contextlib

import keras


class KeepsVariables(keras.Model):
    """A model that keeps its weights when a step raises an error.

    Under JAX, Keras takes the variables' values out of the model for the time
    of `fit`, `evaluate` and `predict`, and an error, such as that of an unknown
    input, would lose them.
    """

    def fit(self, *args, **kwargs):
        with keep_variables(self):
            return super().fit(*args, **kwargs)

    def evaluate(self, *args, **kwargs):
        with keep_variables(self):
            return super().evaluate(*args, **kwargs)

    def predict(self, *args, **kwargs):
        with keep_variables(self):
            return super().predict(*args, **kwargs)


@contextlib.contextmanager
def keep_variables(model):
    """Restores the variables of a model if an error leaves the context.

    They get the values of the last step that finished, or those from before.
    """
    if keras.config.backend() != "jax":
        yield
        return
    variables = [*model.variables, *model.metrics_variables]
    if model.compiled:
        variables += model.optimizer.variables
    before = [variable._value for variable in variables]
    try:
        yield
    except BaseException:
        model.jax_state_sync()
        for variable, value in zip(variables, before, strict=True):
            if variable._value is None:
                variable._value = value
        raise
