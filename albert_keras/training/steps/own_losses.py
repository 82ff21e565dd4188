"""Losses that a caller passes to `compile`, in place of the objectives' own."""

import dataclasses

import keras
from keras import ops

from albert_keras.losses import nan_out_of_range
from albert_keras.training.steps.keras_functions import (
    arrange,
    expects_probabilities,
    find_function,
)
from albert_keras.training.steps.targets import objective_of_key


def with_losses(objectives, loss):
    """Returns objectives with the losses of `compile`.

    Args:
        objectives: The `Objective`s of a model.
        loss: A loss for all targets of the only objective: a name, a function
            `(labels, predictions) -> losses` or an object of Keras, whose
            `reduction` is not used; or a dictionary of losses by the name of
            an objective, its label or its output. None and "auto" keep the
            objectives' own.

    Raises:
        ValueError: If a loss is for no objective or for several, expects
            probabilities, or there is none of this name.
    """
    if loss is None or isinstance(loss, str) and loss == "auto":
        return tuple(objectives)
    if not isinstance(loss, dict):
        if len(objectives) > 1:
            raise ValueError(
                "`loss` must be a dictionary by objective for a model with "
                f"several, {[o.name for o in objectives]}. Received: "
                f"loss={loss!r}. The losses that it omits stay the model's own."
            )
        loss = {objectives[0].name: loss}
    given = {}
    for key, identifier in loss.items():
        objective, _ = objective_of_key(objectives, key, "loss")
        if objective.name in given:
            raise ValueError(
                f"`loss` must have one loss for objective {objective.name!r}. "
                f"Received: the keys {sorted(loss)}. Use {objective.name!r}."
            )
        if identifier is not None and identifier != "auto":
            given[objective.name] = OwnLoss(objective, identifier)
    return tuple(
        dataclasses.replace(objective, loss=given[objective.name])
        if objective.name in given
        else objective
        for objective in objectives
    )


class OwnLoss:
    """A caller's loss in the form of `Objective.loss`.

    Args:
        objective: The `Objective` whose loss it takes the place of.
        identifier: A name, a function or an object of Keras.
    """

    def __init__(self, objective, identifier):
        loss = find_function(keras.losses.get, identifier, "losses")
        if objective.class_ids and expects_probabilities(loss):
            raise ValueError(
                "`loss` must take logits, which the model returns. Received: "
                f"{identifier!r} with from_logits=False. Pass "
                f"`{type(loss).__name__}(from_logits=True)`."
            )
        self.objective, self.loss = objective, loss
        # Without the reduction of `Loss.__call__`.
        is_object = isinstance(loss, keras.losses.Loss)
        self.call = loss.call if is_object else loss

    def __call__(self, labels, predictions):
        """Returns one float32 loss for each target."""
        if isinstance(labels, tuple):
            pairs = zip(labels, predictions, strict=True)
            return tuple(self._losses(*pair) for pair in pairs)
        return self._losses(labels, predictions)

    def _losses(self, labels, predictions):
        # In float32, as Keras passes them to losses.
        predictions = ops.cast(predictions, "float32")
        arranged = arrange(
            self.objective,
            self.loss,
            ops.cast(labels, "float32"),
            predictions,
        )
        losses = ops.cast(self.call(*arranged), "float32")
        rank = len(labels.shape)
        if len(losses.shape) == rank + 1 and losses.shape[-1] == 1:
            losses = ops.squeeze(losses, axis=-1)
        if not self.objective.class_ids or len(losses.shape) != rank:
            return losses
        has_classes = len(predictions.shape) > rank
        num_classes = ops.shape(predictions)[-1] if has_classes else 2
        return nan_out_of_range(losses, labels, num_classes)
