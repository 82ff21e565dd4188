"""Running metrics of training and evaluation."""

from typing import Any

import keras

from albert_keras.metrics import LastValue
from albert_keras.training import distributed
from albert_keras.training.steps.own_metrics import OwnMetrics

# Key of the layers' losses in sums, and of the batch's rows in totals.
LAYER_LOSSES = "layer_losses"


class TotalLoss(keras.metrics.Mean):
    """The mean of the layers' losses by rows, plus the objectives' losses.

    Args:
        name: Name of the metric.
        objective_loss: Function that returns the objectives' weighted sum.
    """

    def __init__(self, name, objective_loss):
        super().__init__(name=name, dtype="float32")
        self.objective_loss = objective_loss

    def result(self):
        return super().result() + self.objective_loss()


class UpdateMetrics:
    """Weighted means of the objectives, and values of the last update.

    A plain object, not a layer or a dictionary, so that Keras does not track
    the metrics as state of the model: `compile` replaces them.

    Args:
        objectives: The `Objective`s of a model.
        metrics, weighted_metrics: Further metrics, as for `OwnMetrics`.

    Attributes:
        own: The `OwnMetrics`.
        given: Loss and metrics as `compile` received them, by argument.
    """

    given: dict[str, Any] = {}

    def __init__(self, objectives, metrics=None, weighted_metrics=None):
        self.objectives = objectives
        self.names_by_objective = {
            objective.name: [
                f"{objective.name}_{name}"
                for name in ("loss", *objective.metrics)
            ]
            for objective in objectives
        }
        self.coefficients = {
            f"{objective.name}_loss": objective.coefficient
            for objective in objectives
        }
        self.means = {
            name: keras.metrics.Mean(name=name, dtype="float32")
            for names in self.names_by_objective.values()
            for name in names
        }
        self.loss = TotalLoss("loss", self._objective_loss)
        self.last_values = {
            name: LastValue(name=name, dtype="float32")
            for name in ("learning_rate", "gradient_norm", "weight_norm")
        }
        taken = ("loss", *self.means, *self.last_values)
        self.own = OwnMetrics(objectives, metrics, weighted_metrics, taken)
        # Seconds of the all-reduce, including the wait for the slowest rank.
        self.communication = None
        if distributed.size() > 1:
            self.communication = keras.metrics.Mean("communication_seconds")
        # Whether this rank wants to stop, and how many ranks do: StopOnSignal.
        self.stop_vote = keras.Variable(0.0, trainable=False, name="stop_vote")
        self.stop_votes = keras.Variable(
            0.0, trainable=False, name="stop_votes"
        )

    @property
    def all(self):
        communication = [self.communication] if self.communication else []
        return [
            self.loss,
            *self.means.values(),
            *self.own.metrics,
            *self.last_values.values(),
            *communication,
        ]

    @property
    def sum_names(self):
        """Names of the sums that an update adds."""
        return [LAYER_LOSSES, *self.means]

    def add_sums(self, sums, totals):
        """Adds sums over the targets, weighted by each objective's total."""
        self.loss.update_state(
            sums[LAYER_LOSSES], sample_weight=totals[LAYER_LOSSES]
        )
        for objective, names in self.names_by_objective.items():
            total = totals[objective]
            for name in names:
                self.means[name].update_state(
                    sums[name] / total, sample_weight=total
                )

    def set_last(self, **values: Any) -> None:
        """Sets `learning_rate`, `gradient_norm` and `weight_norm`."""
        for name, value in values.items():
            self.last_values[name].update_state(value)

    def add_communication(self, seconds):
        """Adds the seconds of an all-reduce; no effect on a single rank."""
        if self.communication is not None:
            self.communication.update_state(seconds)

    def sum_over_ranks(self):
        """Extends the means to the targets of all ranks.

        For evaluation, in which each rank has only added its own share; in
        training each update sums over the ranks.
        """
        variables = [
            variable
            for mean in (self.loss, *self.means.values())
            for variable in (mean.total, mean.count)
        ]
        sums = distributed.sum_numbers([float(v.value) for v in variables])
        for variable, value in zip(variables, sums, strict=True):
            variable.assign(value)
        self.own.sum_over_ranks()

    def objective_results(self):
        """`loss`, the means of the objectives and the caller's, by name."""
        means = {
            metric.name: metric.result()
            for metric in (self.loss, *self.means.values())
        }
        return {**means, **self.own.results()}

    def _objective_loss(self):
        return sum(
            coefficient * self.means[name].result()
            for name, coefficient in self.coefficients.items()
        )

    def results(self) -> dict[str, Any]:
        last = {name: m.result() for name, m in self.last_values.items()}
        if self.communication is not None:
            last["communication_seconds"] = self.communication.result()
        return {**self.objective_results(), **last}
