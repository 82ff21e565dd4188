"""Warns if a run's loss stays at, or returns to, the unigram entropy."""

import logging

_logger = logging.getLogger(__name__)

# The loss of a model that has learned only token frequencies is the corpus's
# unigram entropy. Runs stay on this plateau for a while; some return to it.
_TOLERANCE = 0.03  # relative distance that counts as the plateau
_PATIENCE = 5  # validations


class PlateauWarning:
    """Compares a masked-LM loss with the corpus's unigram entropy.

    Call it with the step and the metrics of each validation, for example in
    the `report` of a `Validation`. It warns once per stay on the plateau.

    Args:
        unigram_entropy: Unigram entropy of the corpus, in nats.
        warmup_steps: Number of first updates without a warning that the loss
            stays there.
        metric: Name of the loss.
    """

    def __init__(
        self,
        unigram_entropy: float,
        warmup_steps: int,
        metric: str = "mlm_loss",
    ) -> None:
        self.unigram_entropy = unigram_entropy
        self.warmup_steps = warmup_steps
        self.metric = metric
        self.left = False
        self.stay = 0

    def __call__(self, step, metrics):
        loss = metrics[self.metric]
        if loss < (1 - _TOLERANCE) * self.unigram_entropy:
            self.left, self.stay = True, 0
            return
        if step <= self.warmup_steps:
            return
        self.stay += 1
        if self.left:
            self.left = False
            _logger.warning(
                "Update %d: validation %s jumped back to %.2f (unigram "
                "entropy %.2f). Continue from an earlier checkpoint with a "
                "lower learning rate.",
                step,
                self.metric,
                loss,
                self.unigram_entropy,
            )
        elif self.stay == _PATIENCE:
            _logger.warning(
                "Update %d: validation %s is %.2f, still about the unigram "
                "entropy of %.2f: so far the model has learned only token "
                "frequencies. If this continues, try a higher learning rate, "
                "more updates, `pre_layer_norm` or fewer layers.",
                step,
                self.metric,
                loss,
                self.unigram_entropy,
            )
