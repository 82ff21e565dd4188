"""The running metrics of training and evaluation."""

from typing import Any

import keras

from albert_keras.metrics import LastValue
from albert_keras.training import distributed


class UpdateMetrics:
    """Weighted means of the objectives, and figures of the last update.

    A plain object, not a layer or a dictionary, so that Keras does not take
    the metrics for state of the model: `compile` replaces them.

    Args:
        objectives: The `Objective`s of a model.
    """

    def __init__(self, objectives):
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
            name: keras.metrics.Mean(name=name)
            for names in self.names_by_objective.values()
            for name in names
        }
        self.last_values = {
            name: LastValue(name=name)
            for name in ("learning_rate", "gradient_norm", "weight_norm")
        }
        # Of the all-reduce, waiting for the slowest rank included.
        self.communication = None
        if distributed.size() > 1:
            self.communication = keras.metrics.Mean("communication_seconds")
        # Whether this rank wants to stop, and how many do, see StopOnSignal.
        self.stop_vote = keras.Variable(0.0, trainable=False, name="stop_vote")
        self.stop_votes = keras.Variable(
            0.0, trainable=False, name="stop_votes"
        )

    @property
    def all(self):
        communication = [self.communication] if self.communication else []
        return [
            *self.means.values(),
            *self.last_values.values(),
            *communication,
        ]

    def add_sums(self, sums, totals):
        """Adds sums over targets, by metric, with the objectives' weights."""
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
        """Adds the seconds that an all-reduce took; None on one rank."""
        if self.communication is not None:
            self.communication.update_state(seconds)

    def add_up_over_ranks(self):
        """Makes the means those over the targets of every rank.

        For evaluation, in which each rank adds up its own share; the metrics
        of training are added up in each update.
        """
        variables = [
            variable
            for mean in self.means.values()
            for variable in (mean.total, mean.count)
        ]
        sums = distributed.sum_numbers([float(v.value) for v in variables])
        for variable, value in zip(variables, sums, strict=True):
            variable.assign(value)

    def objective_results(self):
        """`loss`, the objectives' losses in sum, and each mean."""
        results = {name: mean.result() for name, mean in self.means.items()}
        losses = [c * results[name] for name, c in self.coefficients.items()]
        return {"loss": sum(losses), **results}

    def results(self) -> dict[str, Any]:
        last = {name: m.result() for name, m in self.last_values.items()}
        if self.communication is not None:
            last["communication_seconds"] = self.communication.result()
        return {**self.objective_results(), **last}
