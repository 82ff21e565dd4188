"""A Keras model whose every training step is one exact optimizer update."""

import keras
from keras import ops

from albert_keras.kernels import on_tensorflow_cpu
from albert_keras.losses import pick
from albert_keras.training import distributed
from albert_keras.training.steps.backend_step import import_backend_step
from albert_keras.training.steps.update_metrics import UpdateMetrics

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
    not depend on the number of ranks either. Metrics cover all ranks.

    Subclasses implement `objectives`. Metrics are weighted means:
    `{objective}_loss` and each metric of the objective; `loss` is the sum of
    the objectives' losses times their coefficients. Training also reports
    `learning_rate`, `gradient_norm` (before clipping) and `weight_norm` of
    the last update.
    """

    gradient_accumulation_steps = 1
    gradient_compression = None
    compile_passes = False

    @property
    def objectives(self):
        """The `Objective`s that the model is trained on."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `objectives`."
        )

    def compile(
        self,
        optimizer="adam",
        gradient_accumulation_steps=1,
        gradient_compression=None,
        **kwargs,
    ):
        """Like `keras.Model.compile`, without `loss` and `metrics`.

        Args:
            optimizer: A Keras optimizer. Its own
                `gradient_accumulation_steps` must not be set.
            gradient_accumulation_steps: Number of micro-batches of a batch;
                must divide the number of rows.
            gradient_compression: Type of the gradients in the all-reduce:
                "float16", "bfloat16", or None for float32.
            jit_compile: One of the `kwargs`. "auto", the default, compiles
                the step with XLA on JAX, and on TensorFlow with a GPU.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If a loss or metrics are given,
                `gradient_accumulation_steps` is not a positive integer, or
                the optimizer accumulates gradients as well.
        """
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"{type(self).__name__} defines its own objectives, so "
                    f"`{name}` cannot be given. Received: "
                    f"{name}={kwargs[name]!r}. For another loss, use the "
                    "backbone in a custom Keras model."
                )
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
        use_xla = _use_xla(kwargs.get("jit_compile", "auto"))
        kwargs["jit_compile"] = use_xla
        if distributed.size() > 1 or on_tensorflow_cpu():
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
        self.optimizer.build(self.trainable_variables)
        self.gradient_accumulation_steps = steps
        self.gradient_compression = gradient_compression
        self.update_metrics = UpdateMetrics(self.objectives)

    def get_compile_config(self):
        if not self.compiled:
            return None
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "gradient_compression": self.gradient_compression,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile or self.compile_passes,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    # === One update ===

    def train_step(self, *args):
        return _step.train_step(self, *args)

    def test_step(self, *args):
        return _step.test_step(self, *args)

    def fit(self, x=None, *args, validation_data=None, **kwargs):
        """Like `keras.Model.fit`; a dataset's batches may differ in length."""
        return super().fit(
            _step.adapt_dataset(x),
            *args,
            validation_data=_step.adapt_dataset(validation_data),
            **kwargs,
        )

    def evaluate(self, x=None, *args, return_dict=False, **kwargs):
        """Like `keras.Model.evaluate`.

        On several ranks each passes its share of the data, and all get the
        metrics over all of the data.
        """
        x = _step.adapt_dataset(x)
        results = super().evaluate(x, *args, return_dict=True, **kwargs)
        if distributed.size() > 1:
            self.update_metrics.sum_over_ranks()
            results = {
                name: float(value)
                for name, value in (
                    self.update_metrics.objective_results().items()
                )
            }
        return results if return_dict else list(results.values())

    def predict_on_batch(self, x):
        """Like `keras.Model.predict_on_batch`; devices share the rows."""
        return super().predict_on_batch(_step.shard_batch(x))

    def targets(self, y, sample_weight=None):
        """Returns labels and float32 weights of each objective, by name.

        With one objective, labels and weights need not be in a dictionary.
        Missing weights are ones.

        Raises:
            ValueError: If the labels of an objective are missing.
        """
        if not isinstance(y, dict):
            keys = [objective.label_keys for objective in self.objectives]
            y = {key: y for key in keys if isinstance(key, str)}
        if not isinstance(sample_weight, dict):
            sample_weight = {
                objective.name: sample_weight for objective in self.objectives
            }
        targets = {}
        for objective in self.objectives:
            name, keys = objective.name, objective.label_keys
            for key in keys if isinstance(keys, tuple) else (keys,):
                if y.get(key) is None:
                    raise ValueError(
                        f"The labels {key!r} of objective {name!r} are "
                        f"missing. Received: labels for {sorted(y)}. Add them "
                        "to the batch."
                    )
            labels = pick(keys, y)
            weights = sample_weight.get(name)
            if weights is None:
                one = labels[0] if isinstance(keys, tuple) else labels
                weights = ops.ones(ops.shape(one))
            targets[name] = (labels, ops.cast(weights, "float32"))
        return targets

    def total_weights(self, targets):
        """Sums the weights of each objective; at least 1e-12 for division."""
        return {
            name: ops.maximum(ops.sum(weights), 1e-12)
            for name, (_, weights) in targets.items()
        }

    def objective_sums(self, outputs, targets):
        """Sums weighted losses and metrics over the targets, by metric name."""
        sums = {}
        for objective in self.objectives:
            labels, weights = targets[objective.name]
            predictions = pick(objective.output, outputs)
            functions = {"loss": objective.loss, **objective.metrics}
            for name, function in functions.items():
                values = function(labels, predictions)
                sums[f"{objective.name}_{name}"] = ops.sum(values * weights)
        return sums

    def training_loss(self, sums, totals):
        """The loss whose gradient is accumulated.

        Args:
            sums: `objective_sums` of a micro-batch.
            totals: `total_weights` of the whole batch.
        """
        return sum(
            o.coefficient * sums[f"{o.name}_loss"] / totals[o.name]
            for o in self.objectives
        )

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
