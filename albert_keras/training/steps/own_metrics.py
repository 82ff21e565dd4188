"""Metrics that a caller passes to `compile`, in addition to the objectives'."""

import dataclasses
import inspect
from typing import Any

import keras
import numpy as np
from keras import ops

from albert_keras.losses import Objective, pick
from albert_keras.metrics import sparse_accuracy
from albert_keras.training import distributed
from albert_keras.training.steps.keras_functions import (
    arrange,
    expects_probabilities,
    find_function,
    name_of,
    to_probabilities,
)
from albert_keras.training.steps.targets import (
    label_keys,
    objective_of_key,
)


class OwnMetrics:
    """A caller's metrics, updated once with every micro-batch.

    A metric is updated with the targets as its rows: class ids `(N,)` and
    logits `(N, C)`; for one logit for each label both `(N, 1)`, or `(B, C)`
    where each class is a target; for numbers both `(N, 1)`. Keras's metrics
    that take one-hot labels or probabilities get these. Targets of weight 0,
    such as padding and labels of -100, are left out.

    Over ranks and devices, the variables of a metric are combined by their
    `aggregation`, as in `tf.distribute`: what an update adds is summed
    ("sum", the default of Keras's metrics), averaged ("mean"), or the first
    rank's value is kept ("only_first_replica").

    A plain object, so that Keras does not track the metrics as state.

    Args:
        objectives: The `Objective`s of a model.
        metrics: A metric or a list of them: names, functions or objects of
            Keras; or a dictionary of these by the name of an objective, a
            label or an output. They give all targets the same weight.
        weighted_metrics: The same, with the sample weights.
        taken: Names that other metrics of the model have.

    Raises:
        ValueError: If a metric is for no objective or for several, there is
            none of this name, it takes no `sample_weight`, or two have the
            same name.
    """

    def __init__(
        self, objectives=(), metrics=None, weighted_metrics=None, taken=()
    ):
        self.uses = []
        for argument, given in (
            ("metrics", metrics),
            ("weighted_metrics", weighted_metrics),
        ):
            for use in _uses(objectives, given, argument):
                names = {*taken, *(other.name for other in self.uses)}
                if use.weighted and use.name in names:
                    use.name = f"weighted_{use.name}"
                if use.name in names:
                    raise ValueError(
                        f"`{argument}` must have names of their own. Received: "
                        f"{use.name!r}, the name of another metric. "
                        "Pass an object with a different `name`."
                    )
                self.uses.append(use)

    @property
    def metrics(self):
        return [use.metric for use in self.uses]

    @property
    def variables(self):
        return [v for metric in self.metrics for v in metric.variables]

    def build(self, specs):
        """Creates the variables that a metric creates at its first update.

        Args:
            specs: The model's outputs as `KerasTensor`s of known shapes; None
                builds nothing.
        """
        for use in self.uses if specs is not None else ():
            use.build(specs)

    def update(self, outputs, targets):
        """Updates every metric with a micro-batch.

        Args:
            outputs: The model's outputs.
            targets: Labels and weights by objective, as of `make_targets`.
        """
        for use in self.uses:
            use.update(outputs, targets)

    def results(self) -> dict[str, Any]:
        """The metrics' values by name."""
        results = {}
        for use in self.uses:
            # A metric may return its variable, whose value will change.
            value = keras.tree.map_structure(ops.copy, use.metric.result())
            results.update(
                value if isinstance(value, dict) else {use.name: value}
            )
        return results

    # === Over ranks and devices ===

    def values(self):
        """The values of all variables."""
        return [ops.copy(ops.convert_to_tensor(v)) for v in self.variables]

    def shares(self, before, after, is_first, parts):
        """Returns a rank's share in a sum of variables over all ranks.

        Args:
            before: Values of the variables before an update, on all ranks.
            after: This rank's values after it.
            is_first: Whether this is the first rank, 1 or 0.
            parts: Number of ranks.
        """
        shares = []
        for variable, old, new in zip(
            self.variables, before, after, strict=True
        ):
            if variable.aggregation == "sum":
                shares.append(new - old)
            elif variable.aggregation == "mean":
                shares.append(new / parts)
            else:
                shares.append(new * ops.cast(is_first, new.dtype))
        return shares

    def combine(self, before, sums):
        """The values after an update, from those before and summed `shares`."""
        return [
            old + total if variable.aggregation == "sum" else total
            for variable, old, total in zip(
                self.variables, before, sums, strict=True
            )
        ]

    def assign(self, values):
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    def sum_over_ranks(self):
        """Combines the variables of all ranks, after an evaluation."""
        zeros = [ops.zeros(v.shape, v.dtype) for v in self.variables]
        rank, size = distributed.rank(), distributed.size()
        shares = self.shares(zeros, self.values(), int(rank == 0), size)
        arrays = [ops.convert_to_numpy(share) for share in shares]
        numbers = np.concatenate([np.zeros(0), *(a.ravel() for a in arrays)])
        summed = np.array(distributed.sum_numbers(numbers.tolist()))
        ends = np.cumsum([array.size for array in arrays])
        parts = np.split(summed, ends[:-1]) if arrays else []
        self.assign(
            part.reshape(array.shape).astype(array.dtype)
            for part, array in zip(parts, arrays, strict=True)
        )


@dataclasses.dataclass
class _Use:
    """A metric, and the labels of the objective that it is updated with."""

    name: str
    metric: keras.metrics.Metric
    objective: Objective
    indices: tuple[int, ...]
    weighted: bool

    def build(self, specs):
        objective = self.objective
        keys = objective.output
        keys = keys if isinstance(keys, tuple) else (keys,)
        predictions = ops.zeros(specs[keys[self.indices[0]]].shape)
        rank = objective.target_rank or 1
        dtype = "int32" if objective.class_ids else "float32"
        labels = ops.zeros(predictions.shape[:rank], dtype)
        weights = ops.zeros(predictions.shape[:rank])
        self._update(labels, predictions, weights)
        self.metric.reset_state()

    def update(self, outputs, targets):
        labels, weights = targets[self.objective.name]
        predictions = pick(self.objective.output, outputs)
        if not isinstance(labels, tuple):
            labels, weights = (labels,), (weights,)
            predictions = (predictions,)
        for index in self.indices:
            self._update(labels[index], predictions[index], weights[index])

    def _update(self, labels, predictions, weights):
        predictions = ops.stop_gradient(ops.cast(predictions, "float32"))
        if not self.weighted:
            weights = ops.cast(ops.not_equal(weights, 0), "float32")
        if not self.objective.each_class:
            # Each target is a row: Keras would take a mean for each text,
            # whatever its number of tokens.
            axes = len(labels.shape)
            predictions = ops.reshape(
                predictions, (-1, *ops.shape(predictions)[axes:])
            )
            labels, weights = (
                ops.reshape(tensor, (-1,)) for tensor in (labels, weights)
            )
        if expects_probabilities(self.metric):
            predictions = to_probabilities(self.objective, labels, predictions)
        if isinstance(self.metric, keras.metrics.FBetaScore):
            weights = _of_rows(weights)
        arranged = arrange(self.objective, self.metric, labels, predictions)
        self.metric.update_state(*arranged, sample_weight=weights)


def _of_rows(weights):
    """Weights `(B,)`; 0 for rows in which a class has the weight 0."""
    if len(weights.shape) == 1:
        return weights
    is_whole = ops.all(ops.not_equal(weights, 0), axis=-1)
    return ops.mean(weights, axis=-1) * ops.cast(is_whole, "float32")


def _uses(objectives, given, argument):
    """Yields a `_Use` for each metric that was given."""
    if given is None or isinstance(given, str) and given == "auto":
        return
    if not isinstance(given, dict):
        if len(objectives) > 1:
            raise ValueError(
                f"`{argument}` must be a dictionary by objective for a model "
                f"with several, {[o.name for o in objectives]}. Received: "
                f"{given!r}."
            )
        given = {None: given}
    for key, identifiers in given.items():
        if key is None:
            key = objectives[0].name
        objective, indices = objective_of_key(objectives, key, argument)
        if not isinstance(identifiers, list | tuple):
            identifiers = [identifiers]
        for identifier in identifiers:
            metric = _as_metric(objective, identifier, argument)
            is_name = isinstance(identifier, str)
            name = identifier if is_name else metric.name
            one_of_several = len(indices) < len(label_keys(objective))
            if len(objectives) > 1 or one_of_several:
                name = f"{key}_{name}"
            yield _Use(name, metric, objective, indices, argument != "metrics")


def _as_metric(objective, identifier, argument):
    """Returns a Keras metric for a name, a function or a metric."""
    if isinstance(identifier, str) and identifier in ("acc", "accuracy"):
        accuracy = objective.metrics.get("accuracy")
        if accuracy is None and isinstance(objective.label_keys, tuple):
            accuracy = sparse_accuracy
        if accuracy is None:
            raise ValueError(
                f"`{argument}` cannot contain 'accuracy' for a regression. "
                "Pass 'mae' or another metric of numbers."
            )
        return keras.metrics.MeanMetricWrapper(accuracy, name=identifier)
    found = find_function(keras.metrics.get, identifier, "metrics")
    if not isinstance(found, keras.metrics.Metric):
        return keras.metrics.MeanMetricWrapper(found, name=name_of(found))
    parameters = inspect.signature(found.update_state).parameters
    if "sample_weight" not in parameters:
        raise ValueError(
            f"`{argument}` must take `sample_weight` in `update_state`, to "
            f"leave out padding. Received: {identifier!r}. Add the argument "
            "to it."
        )
    return found
