"""Says when a run sits on the unigram plateau, or falls back to it."""

import logging

_logger = logging.getLogger(__name__)

# A model that knows nothing but how frequent each piece is has the loss of
# the corpus's unigram entropy. Runs sit there, and some fall back to it.
_NEAR = 0.03  # relative distance that counts as the plateau
_PATIENCE = 5  # validations


class PlateauWarning:
    """Watches a masked-language-modelling loss beside the unigram entropy.

    Called with each validation (see `TrainingLog`'s `on_validation`); warns
    once for each stay on the plateau.

    Args:
        unigram_entropy: Of the corpus, in nats.
        warmup_steps: Updates before which nothing is expected.
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
        if loss < (1 - _NEAR) * self.unigram_entropy:
            self.left, self.stay = True, 0
            return
        if step <= self.warmup_steps:
            return
        self.stay += 1
        if self.left:
            self.left = False
            _logger.warning(
                "Update %d: validation %s jumped back to %.2f, the unigram "
                "entropy being %.2f. Go on from an earlier checkpoint with a "
                "lower learning rate.",
                step,
                self.metric,
                loss,
                self.unigram_entropy,
            )
        elif self.stay == _PATIENCE:
            _logger.warning(
                "Update %d: validation %s is %.2f, still about the unigram "
                "entropy of %.2f: the model has learned how frequent pieces "
                "are and no more. If it stays so, try a higher learning "
                "rate, more updates, --pre_layer_norm or fewer layers.",
                step,
                self.metric,
                loss,
                self.unigram_entropy,
            )
