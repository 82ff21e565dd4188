"""The sentence-order head (ALBERT paper, section 3.1)."""

import keras

from albert_keras.layers.initializers import albert_initializer


class SentenceOrderHead(keras.layers.Dense):
    """Two logits from the pooled output: in order, and swapped.

    Args:
        initializer_range: Standard deviation of the truncated normal
            initializer.

    Call arguments:
        inputs: `(B, H)`.

    Returns:
        `(B, 2)`.
    """

    def __init__(self, initializer_range=0.02, **kwargs):
        super().__init__(
            2,
            kernel_initializer=albert_initializer(initializer_range),
            **kwargs,
        )
        self.initializer_range = initializer_range

    def get_config(self):
        config = keras.layers.Layer.get_config(self)
        return {**config, "initializer_range": self.initializer_range}
