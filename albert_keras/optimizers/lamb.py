"""LAMB: layer-wise adaptive moments for batch training."""

import keras
from keras import ops

from albert_keras.kernels import lamb_kernel
from albert_keras.optimizers.float32_moments import Float32Moments
from albert_keras.optimizers.layer_wise_decay import learning_rate_factor
from albert_keras.optimizers.weight_decay_exclusions import (
    ExcludesFromWeightDecay,
    matches,
)

# Layer normalization and biases, as in Google's release. They are searched in
# paths, since a Keras variable's name is just "gamma" or "bias", and match only
# their ends: the names of outer layers and name scopes do not matter.
DEFAULT_EXCLUSIONS = (
    r"layer_norm[^/]*/[^/]*$",
    r"gamma$",
    r"beta$",
    r"bias$",
)


@keras.saving.register_keras_serializable("albert_keras")
class Lamb(ExcludesFromWeightDecay, Float32Moments):
    r"""LAMB as in the paper (You et al. 2020, arXiv:1904.00962, algorithm 2).

    For each variable w with gradient g, at update t = 1, 2, ...:

        m <- b1 m + (1 - b1) g            v <- b2 v + (1 - b2) g^2
        m' = m / (1 - b1^t)               v' = v / (1 - b2^t)
        u = m' / (sqrt(v') + epsilon) + weight_decay * w
        ratio = |w| / |u|                 (1 if either norm is 0)
        w <- w - learning_rate * ratio * u

    The decay is part of u, and so of the trust ratio. `keras.optimizers.Lamb`
    is another algorithm: it decays outside the ratio and adapts every
    variable. Google's ALBERT omits the bias correction (m' = m, v' = v); that
    is `bias_correction=False`.

    Variables whose path matches an exclusion have weight_decay = 0 and
    ratio = 1. The variables of a shared ALBERT block have one ratio each, for
    all layers.

    Args:
        learning_rate: A float or a `LearningRateSchedule`.
        beta_1: b1, decay rate of the first moment.
        beta_2: b2, decay rate of the second moment.
        epsilon: Added to the square root; 1e-6 in the paper's experiments.
        weight_decay: Factor of the weights in u.
        bias_correction: Whether to correct for moments that start at zero.
        weight_decay_exclusions: Regular expressions searched in
            `variable.path`; variables that match are not decayed.
        layer_adaptation_exclusions: The same for the trust ratio. None, the
            default, uses `weight_decay_exclusions`.
        learning_rate_factors: See `layer_wise_factors`.
        **kwargs: Arguments of every Keras optimizer.
    """

    def __init__(
        self,
        learning_rate=0.00176,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        weight_decay=0.01,
        bias_correction=True,
        weight_decay_exclusions=DEFAULT_EXCLUSIONS,
        layer_adaptation_exclusions=None,
        learning_rate_factors=(),
        name="lamb",
        **kwargs,
    ):
        super().__init__(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            weight_decay_exclusions=weight_decay_exclusions,
            name=name,
            **kwargs,
        )
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.bias_correction = bias_correction
        self.layer_adaptation_exclusions = (
            None
            if layer_adaptation_exclusions is None
            else tuple(layer_adaptation_exclusions)
        )
        self.learning_rate_factors = tuple(
            (pattern, float(factor))
            for pattern, factor in learning_rate_factors
        )

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._moments, self._velocities = self.add_optimizer_variables(
            variables, ["moment", "velocity"]
        )

    def update_step(self, gradient, variable, learning_rate):
        dtype = keras.backend.result_type(variable.dtype, "float32")
        lr = ops.cast(learning_rate, dtype)
        gradient = ops.cast(ops.convert_to_tensor(gradient), dtype)
        index = self._get_variable_index(variable)
        m, v = self._moments[index], self._velocities[index]

        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))
        m_factor, v_factor = self._corrections(dtype)
        update = m * m_factor / (ops.sqrt(v * v_factor) + self.epsilon)
        weight = ops.cast(variable, dtype)
        # Some backends pass a variable of theirs, which has no path.
        keras_variable = self._trainable_variables[index]
        if self.decays(keras_variable):
            update = update + self.weight_decay * weight
        if self.adapts(keras_variable):
            update = update * _trust_ratio(weight, update)
        lr = lr * learning_rate_factor(
            self.learning_rate_factors, keras_variable
        )
        self.assign_sub(variable, lr * update)

    def _corrections(self, dtype):
        """Returns the factors that turn m and v into m' and v'."""
        if not self.bias_correction:
            return ops.ones((), dtype), ops.ones((), dtype)
        step = ops.cast(self.iterations + 1, dtype)
        betas = (ops.cast(b, dtype) for b in (self.beta_1, self.beta_2))
        return tuple(1 / (1 - ops.power(beta, step)) for beta in betas)

    def decays(self, variable):
        """Whether the weight decay applies to `variable`."""
        return bool(self.weight_decay) and self._use_weight_decay(variable)

    def adapts(self, variable):
        """Whether the trust ratio applies to `variable`."""
        exclusions = self.layer_adaptation_exclusions
        if exclusions is None:
            exclusions = self.weight_decay_exclusions
        return not matches(exclusions, variable.path)

    def _apply_weight_decay(self, variables):
        """Does nothing: Keras would decay outside the trust ratio."""

    # === All variables at once, with a fused kernel ===

    def _clip_gradients(self, grads):
        if self.global_clipnorm and self.has_kernel():
            return grads  # the kernel clips
        return super()._clip_gradients(grads)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        apply_lamb = self._kernel()
        if apply_lamb is None:
            super()._backend_update_step(
                grads, trainable_variables, learning_rate
            )
            return
        indices = [self._get_variable_index(v) for v in trainable_variables]
        variables = [self._trainable_variables[i] for i in indices]
        apply_lamb(
            variables,
            [self._moments[i] for i in indices],
            [self._velocities[i] for i in indices],
            grads,
            learning_rate,
            self._corrections("float32"),
            learning_rate_factors=[
                learning_rate_factor(self.learning_rate_factors, v)
                for v in variables
            ],
            weight_decays=[
                self.weight_decay if self.decays(v) else 0.0 for v in variables
            ],
            adapts=[self.adapts(v) for v in variables],
            moment_rate=1 - self.beta_1,
            velocity_rate=1 - self.beta_2,
            epsilon=self.epsilon,
            global_clipnorm=self.global_clipnorm or 0.0,
        )

    def has_kernel(self):
        """Whether an update runs as one fused kernel, see `lamb_kernel`."""
        return self._kernel() is not None

    def _kernel(self):
        """The fused kernel if this context and the variables allow it."""
        if all(v.dtype == "float32" for v in self._trainable_variables):
            return lamb_kernel()
        return None

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "bias_correction": self.bias_correction,
            "layer_adaptation_exclusions": self.layer_adaptation_exclusions,
            "learning_rate_factors": self.learning_rate_factors,
        }


def _trust_ratio(variable, update):
    weight_norm = ops.norm(ops.reshape(variable, (-1,)))
    update_norm = ops.norm(ops.reshape(update, (-1,)))
    both_positive = ops.logical_and(weight_norm > 0, update_norm > 0)
    safe_update_norm = ops.where(
        both_positive, update_norm, ops.ones_like(update_norm)
    )
    return ops.where(
        both_positive,
        weight_norm / safe_update_norm,
        ops.ones_like(update_norm),
    )
