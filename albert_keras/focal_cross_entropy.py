"""Cross entropy with focal weights and label smoothing."""

import keras
from keras import ops

# Below it, 1 - p counts as 0: a power of 0 has no derivative for gamma < 1.
_SMALLEST = 1e-7


@keras.saving.register_keras_serializable("albert_keras")
class FocalCrossEntropy(keras.losses.Loss):
    """Cross entropy under logits, with focal weights and label smoothing.

    For classes with the probabilities p,

        loss = - sum_j q_j (1 - p_j)^gamma log p_j

    The focal weight (1 - p_j)^gamma makes a target count less that is already
    predicted well (Lin et al. 2017, arXiv:1708.02002, equation 4). q is the
    smoothed label (Szegedy et al. 2016, arXiv:1512.00567, section 7):
    `q_j = (1 - e) [j is the label] + e / C` for C classes and the smoothing e.
    With `gamma=0` and `label_smoothing=0` it is the cross entropy. With
    `multi_label` each class is a target of two classes, its label and the
    other one.

    Args:
        gamma: Exponent of the focal weights, at least 0; Lin et al. use 2.
        label_smoothing: e, from 0 to less than 1; Szegedy et al. use 0.1.
        multi_label: Whether labels are 0 or 1 for each class.
        reduction, name, dtype: As for `keras.losses.Loss`. Not used by the
            models of this package.

    Call arguments:
        y_true: Class ids `(...)`; for `multi_label` 0 or 1, `(..., C)`.
        y_pred: Logits `(..., C)`.

    Returns:
        Without a reduction, float32 `(...)`, in nats; for `multi_label`
        `(..., C)`.

    Raises:
        ValueError: If `gamma` or `label_smoothing` is out of range.

    Example:

    ```python
    model.compile("adam", loss=FocalCrossEntropy(label_smoothing=0.1))
    ```
    """

    def __init__(
        self,
        gamma=0.0,
        label_smoothing=0.0,
        multi_label=False,
        reduction="sum_over_batch_size",
        name="focal_cross_entropy",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not 0 <= gamma < float("inf"):
            raise ValueError(
                f"`gamma` must be a number from 0. Received: {gamma!r}."
            )
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                "`label_smoothing` must be at least 0 and less than 1. "
                f"Received: {label_smoothing!r}."
            )
        self.gamma = gamma
        self.label_smoothing = label_smoothing
        self.multi_label = multi_label

    def call(self, y_true, y_pred):
        logits = ops.cast(y_pred, "float32")
        if self.multi_label:
            # Two classes, not the label and the label.
            signed = ops.where(ops.cast(y_true, "bool"), logits, -logits)
            right, other = (
                self._term(ops.log_sigmoid(z)) for z in (signed, -signed)
            )
            mean = (right + other) / 2
        else:
            terms = self._term(ops.log_softmax(logits, axis=-1))
            ids = ops.cast(y_true, "int32")[..., None]
            right = ops.take_along_axis(terms, ids, axis=-1)[..., 0]
            mean = ops.mean(terms, axis=-1)
        smoothing = self.label_smoothing
        return (1 - smoothing) * right + smoothing * mean

    def _term(self, log_p):
        """`-(1 - p)^gamma log p` of log probabilities."""
        if self.gamma == 0:
            return -log_p
        rest = ops.maximum(-ops.expm1(log_p), _SMALLEST)
        return -ops.power(rest, self.gamma) * log_p

    def get_config(self):
        return {
            **super().get_config(),
            "gamma": self.gamma,
            "label_smoothing": self.label_smoothing,
            "multi_label": self.multi_label,
        }
