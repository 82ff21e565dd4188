"""A Keras model whose every training step is one exact optimizer update."""

import inspect

import keras
import numpy as np
from keras import ops

from albert_keras.kernels import fused_kernels, on_tensorflow_cpu
from albert_keras.training import distributed
from albert_keras.training.steps.backend_step import import_backend_step
from albert_keras.training.steps.host_targets import (
    check_arrays,
    check_class_weight,
)
from albert_keras.training.steps.own_losses import with_losses
from albert_keras.training.steps.targets import (
    make_targets,
    row_count,
    total_weight,
    weighted_sums,
)
from albert_keras.training.steps.update_metrics import (
    LAYER_LOSSES,
    UpdateMetrics,
)

_step = import_backend_step()


class AccumulatingModel(keras.Model):
    """A model trained on objectives, with exact gradient accumulation.

    A training batch holds the rows of one update. `train_step` splits it into
    `gradient_accumulation_steps` micro-batches of consecutive rows, sums the
    gradients of

        sum over objectives of  c (sum of weighted losses) / (sum of weights)

    where c is the objective's coefficient and the denominator is taken over
    the whole batch, and applies the optimizer once. The update therefore does
    not depend on the split, even if the micro-batches have different weights.
    Averaging the micro-batches' means, as most trainers do, then gives a
    different update.

    On several ranks (`distributed.initialize`) a batch is the rank's share of
    the update and the denominator is taken over all ranks: the update does
    not depend on the number of ranks either. Metrics cover all ranks. The same
    holds for the replicas of a `tf.distribute` strategy.

    Losses that layers add (`add_loss`, regularizers) count as in Keras: each
    micro-batch's `model.losses` has the weight 1 / number of micro-batches,
    over all ranks. If the number of micro-batches does not divide the rows of
    a batch, rows of weight 0 are added to it.

    Subclasses implement `objectives`. Metrics are weighted means:
    `{objective}_loss` and each metric of the objective; `loss` is the sum of
    the objectives' losses times their coefficients, and of the layers' losses.
    `compile` takes another loss of an objective, and further metrics.
    Labels and weights have the shapes of Keras, see `targets`. Training also
    reports `learning_rate`, `gradient_norm` (before clipping) and
    `weight_norm` of the last update.
    """

    gradient_accumulation_steps = 1
    gradient_compression = None
    compile_passes = False
    _optimized = frozenset()  # ids of the variables that the optimizer knows

    @property
    def objectives(self):
        """The `Objective`s that the model is trained on."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `objectives`."
        )

    @property
    def compiled_objectives(self):
        """The objectives, with the losses that were passed to `compile`."""
        if not hasattr(self, "update_metrics"):
            return self.objectives
        return self.update_metrics.objectives

    def compile(
        self,
        optimizer="adam",
        loss=None,
        metrics=None,
        weighted_metrics=None,
        gradient_accumulation_steps=1,
        gradient_compression=None,
        **kwargs,
    ):
        """Like `keras.Model.compile`; loss and metrics are optional.

        Args:
            optimizer: A Keras optimizer. Its own
                `gradient_accumulation_steps` must not be set.
            loss: A loss in place of the model's own: a name, a function
                `(labels, logits) -> losses` or an object of Keras that takes
                logits, with one loss for each target (its `reduction` is not
                used); or a dictionary of losses by objective. The labels are
                those of the model; Keras's categorical losses get them as
                one-hot vectors. None or "auto" is the model's own.
            metrics: Further metrics: names, functions or objects of Keras, or
                a dictionary of lists by objective, label or output. See
                `OwnMetrics` for what they receive. Targets of weight 0 are
                left out, and all others count the same.
            weighted_metrics: The same, with the sample weights.
            gradient_accumulation_steps: Number of micro-batches of a batch.
            gradient_compression: Type of the gradients in the all-reduce:
                "float16", "bfloat16", or None for float32.
            jit_compile: One of the `kwargs`. "auto", the default, compiles
                the step with XLA on JAX, and on TensorFlow with a GPU.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If a loss or metric does not fit (see `with_losses`
                and `OwnMetrics`), `gradient_accumulation_steps` is not a
                positive integer, or the optimizer accumulates gradients as
                well.
        """
        if kwargs.get("loss_weights") is not None:
            raise ValueError(
                f"{type(self).__name__} sets the weights of its objectives, so "
                "`loss_weights` cannot be given. Received: "
                f"{kwargs['loss_weights']!r}. Multiply the losses in `loss`."
            )
        # Before anything else changes, as it may raise an error.
        update_metrics = UpdateMetrics(
            with_losses(self.objectives, loss), metrics, weighted_metrics
        )
        self._build_own_metrics(update_metrics.own)
        steps = gradient_accumulation_steps
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(
                "`gradient_accumulation_steps` must be a positive integer. "
                f"Received: {steps!r}."
            )
        if gradient_compression not in (None, "float16", "bfloat16"):
            raise ValueError(
                "`gradient_compression` must be 'float16', 'bfloat16' or "
                f"None. Received: {gradient_compression!r}."
            )
        eager = kwargs.get("run_eagerly", False)
        use_xla = not eager and _use_xla(kwargs.get("jit_compile", "auto"))
        kwargs["jit_compile"] = use_xla
        if _step.num_replicas() > distributed.devices() or on_tensorflow_cpu():
            # XLA then compiles the forward and backward passes, without the
            # fused kernels, but not the all-reduce.
            kwargs["jit_compile"], self.compile_passes = False, use_xla
        super().compile(optimizer=optimizer, **kwargs)
        if getattr(self.optimizer, "gradient_accumulation_steps", None):
            raise ValueError(
                "The optimizer accumulates gradients itself, by averaging "
                "micro-batches. Pass `gradient_accumulation_steps` to "
                "`compile`, not to the optimizer. Received: optimizer with "
                "gradient_accumulation_steps="
                f"{self.optimizer.gradient_accumulation_steps}."
            )
        # Not every optimizer can be built inside a graph.
        variables = self.trainable_variables
        self.optimizer.build(variables)
        self._optimized = frozenset(id(variable) for variable in variables)
        self.gradient_accumulation_steps = steps
        self.gradient_compression = gradient_compression
        self.update_metrics = update_metrics
        update_metrics.given = {
            "loss": loss,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }

    def _build_own_metrics(self, own):
        if not own.metrics:
            return
        if _step.num_replicas() > distributed.replicas():
            raise ValueError(
                "`metrics` and `weighted_metrics` cannot be given under a "
                "`tf.distribute` strategy of several replicas. Received: "
                f"{[metric.name for metric in own.metrics]}. Start several "
                "ranks with `horovodrun`."
            )
        own.build(self.output_specs())

    def output_specs(self):
        """The outputs for two rows as `KerasTensor`s; None if not known.

        With them, `compile` builds metrics that create variables late.
        """
        return None

    def get_compile_config(self):
        if not self.compiled:
            return None
        given = self.update_metrics.given.items()
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "gradient_compression": self.gradient_compression,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile or self.compile_passes,
            **{
                name: keras.saving.serialize_keras_object(value)
                for name, value in given
                if value is not None
            },
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def make_train_function(self, force=False):
        new = [
            variable.path
            for variable in self.trainable_variables
            if id(variable) not in self._optimized
        ]
        if new:
            raise ValueError(
                f"The optimizer does not know {len(new)} trainable variables, "
                f"such as {new[0]}: they are newer than `compile`. Call "
                "`compile` again, after `enable_lora` and before `fit`."
            )
        super().make_train_function(force)

    # === One update ===

    def train_step(self, *args):
        with fused_kernels():
            return _step.train_step(self, *args)

    def test_step(self, *args):
        with fused_kernels():
            return _step.test_step(self, *args)

    def fit(self, *args, **kwargs):
        """Like `keras.Model.fit`; a dataset's batches may differ in length."""
        bound = inspect.signature(super().fit).bind(*args, **kwargs)
        given = bound.arguments
        check_class_weight(self.objectives, given.get("class_weight"))
        self._prepare(given)
        validation = given.get("validation_data")
        if isinstance(validation, (tuple, list)):
            x, y, weights = keras.utils.unpack_x_y_sample_weight(validation)
            weights = check_arrays(self.objectives, y, weights)
            given["validation_data"] = (x, y, weights)
        else:
            given["validation_data"] = _step.adapt_dataset(validation)
        return super().fit(*bound.args, **bound.kwargs)

    def evaluate(self, *args, return_dict=False, **kwargs):
        """Like `keras.Model.evaluate`.

        On several ranks each passes its share of the data, and all get the
        metrics over all of the data.
        """
        bound = inspect.signature(super().evaluate).bind(*args, **kwargs)
        self._prepare(bound.arguments)
        several = distributed.size() > 1
        bound.arguments["return_dict"] = return_dict or several
        results = super().evaluate(*bound.args, **bound.kwargs)
        if not several:
            return results
        self.update_metrics.sum_over_ranks()
        results = {
            name: float(value) if value.shape == () else np.array(value)
            for name, value in self.update_metrics.objective_results().items()
        }
        return results if return_dict else list(results.values())

    def train_on_batch(self, *args, **kwargs):
        bound = inspect.signature(super().train_on_batch).bind(*args, **kwargs)
        class_weight = bound.arguments.get("class_weight")
        check_class_weight(self.objectives, class_weight)
        self._prepare(bound.arguments)
        return super().train_on_batch(*bound.args, **bound.kwargs)

    def test_on_batch(self, *args, **kwargs):
        bound = inspect.signature(super().test_on_batch).bind(*args, **kwargs)
        self._prepare(bound.arguments)
        return super().test_on_batch(*bound.args, **bound.kwargs)

    def _prepare(self, arguments):
        """Checks and adapts the arguments of a method that takes data."""
        if "x" in arguments:
            arguments["x"] = _step.adapt_dataset(arguments["x"])
        y, weights = arguments.get("y"), arguments.get("sample_weight")
        arguments["sample_weight"] = check_arrays(self.objectives, y, weights)

    def predict_on_batch(self, x):
        """Like `keras.Model.predict_on_batch`; devices share the rows."""
        return super().predict_on_batch(_step.shard_batch(x))

    def targets(self, y, sample_weight=None):
        """Returns labels and float32 weights of each objective, by name.

        See `make_targets` for the shapes that are accepted.
        """
        return make_targets(self.objectives, y, sample_weight)

    def total_weights(self, targets):
        """Sums the weights of each objective, and those of layers' losses."""
        totals = {
            name: total_weight(weights)
            for name, (_, weights) in targets.items()
        }
        return {**totals, LAYER_LOSSES: row_count(targets)}

    def objective_sums(self, outputs, targets, layer_losses=(), parts=1):
        """Sums weighted losses and metrics over the targets, by metric name.

        Args:
            outputs: The model's outputs for a batch or micro-batch.
            targets: Its `targets`.
            layer_losses: `losses` of the model after the same call.
            parts: Number of micro-batches, over all ranks, of which each adds
                its share of the layers' losses.
        """
        added = [ops.sum(ops.cast(loss, "float32")) for loss in layer_losses]
        sums = {LAYER_LOSSES: sum(added, ops.zeros((), "float32")) / parts}
        for objective in self.compiled_objectives:
            sums.update(
                weighted_sums(objective, outputs, targets[objective.name])
            )
        return sums

    def training_loss(self, sums, totals):
        """The loss whose gradient is accumulated.

        Args:
            sums: `objective_sums` of a micro-batch.
            totals: `total_weights` of the whole batch.
        """
        losses = [
            o.coefficient * sums[f"{o.name}_loss"] / totals[o.name]
            for o in self.objectives
        ]
        return sum(losses, sums[LAYER_LOSSES])

    # === Metrics ===

    @property
    def metrics(self):
        if not hasattr(self, "update_metrics"):
            return super().metrics
        return self.update_metrics.all

    def get_metrics_result(self):
        return self.update_metrics.results()


def _use_xla(jit_compile):
    """Whether XLA compiles the step; "auto" means where that is faster.

    On TensorFlow that is on a GPU: on a CPU, XLA's bfloat16 matrix products
    are several times slower, and it cannot use the fused kernels.
    """
    if jit_compile == "auto":
        backend = keras.config.backend()
        return backend == "jax" or (
            backend == "tensorflow"
            and keras.distribution.list_devices("gpu") != []
        )
    return bool(jit_compile)
