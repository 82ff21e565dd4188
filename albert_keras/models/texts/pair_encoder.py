"""Trains a backbone to embed texts of the same meaning alike."""

from keras import ops

from albert_keras.losses import in_batch_contrast
from albert_keras.models.inputs import SEQUENCES, merge_choices, select_inputs
from albert_keras.models.task import AlbertTask


class TextPairEncoder(AlbertTask):
    """Embeds both texts of pairs, with a contrastive loss between pairs.

    The loss is that of supervised SimCSE without hard negatives (Gao et al.
    2021, arXiv:2104.08821, equation 1, with sentences in place of dropout
    masks), see `in_batch_contrast`. The embedding of a text is the mean of the
    backbone's last layer over its tokens, as in `AlbertBackbone.embed`. It has
    no head: `save_pretrained` writes the backbone.

    Args:
        backbone: An `AlbertBackbone`.
        temperature: Divides the cosine similarities.
        dropout: Not used.

    Call arguments:
        inputs: `token_ids`, `segment_ids` and `padding_mask` `(B, 2, T)`.

    Returns:
        `{"embeddings": (B, 2, H)}`, float32.

    Labels for `fit`: integers `(B,)`, equal for pairs that share a text.
    """

    arguments = ("temperature", "dropout")
    input_axes = dict.fromkeys(SEQUENCES, "BCT")

    def __init__(self, backbone, temperature=0.05, dropout=0.0, **kwargs):
        super().__init__(
            backbone, temperature=temperature, dropout=dropout, **kwargs
        )

    @property
    def objectives(self):
        return (in_batch_contrast(self.temperature),)

    def add_heads(self, config):
        """There are none."""

    def call(self, inputs, training=False):
        flat, rows, texts = merge_choices(select_inputs(self, inputs))
        x = self.backbone(flat, training=training)["sequence_output"]
        x = ops.cast(x, "float32")
        mask = flat.get("padding_mask")
        mask = ops.ones_like(x[..., 0]) if mask is None else mask
        count = ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True)
        means = ops.sum(x, axis=1) / ops.maximum(count, 1.0)
        return {"embeddings": ops.reshape(means, (rows, texts, x.shape[-1]))}

    def to_parts(self, tokenizer=None):
        """Returns those of the backbone, with the card of this model."""
        parts = self.backbone.to_parts(tokenizer)
        parts.card = dict(self.card)
        return parts
