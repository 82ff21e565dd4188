"""Embeddings of texts: the mean of the encoder's last layer over the tokens."""

import keras
import numpy as np

from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.models.texts.predicting import (
    predictions,
    progress_bars,
    warn_of_cut,
)
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.tokenization.text_columns import text_columns


class EmbedsTexts(keras.Model):
    """An encoder that embeds texts."""

    def embed(self, texts, normalize=True, batch_size=32):
        """Embeds texts: the mean of the last layer over a text's tokens.

        The mean includes [CLS] and [SEP], but no padding, as in Sentence-BERT
        (Reimers and Gurevych 2019, arXiv:1908.10084). Uses the tokenizer of
        the model's preprocessor; a text that is too long is truncated, and a
        warning says so. `recipes/embed.py` fine-tunes a model so that texts of
        the same meaning have similar embeddings.

        Args:
            texts: A string, or a list, an array or a Series of strings.
            normalize: Whether to scale embeddings to length 1, so that their
                products are cosine similarities.
            batch_size: Maximum number of rows in a batch.

        Returns:
            float32 `(N, H)`; `(H,)` for one string.

        Raises:
            ValueError: If the model has no tokenizer, or a text is None, NaN,
                blank or no string; names its row.

        Example:

        ```python
        backbone = ak.AlbertBackbone.from_pretrained("runs/pairs/best")
        texts = backbone.embed(["A cat sleeps.", "Stocks fell today."])
        texts @ backbone.embed("A kitten naps.")  # two similarities
        ```
        """
        if isinstance(texts, str):
            return self.embed([texts], normalize, batch_size)[0]
        tokenizer = tokenizer_of(self)
        columns = text_columns(texts)
        if columns is None or len(columns) > 1:
            if columns is None and hasattr(texts, "__len__") and not len(texts):
                return np.zeros((0, self.config.hidden_dim), "float32")
            raise ValueError(
                "`texts` must be one list of strings. Received: "
                f"{type(texts).__name__}. Embed the texts of pairs one after "
                "the other."
            )
        length = self.preprocessor.sequence_length
        with progress_bars() as progress:
            examples = LabelledTexts(
                columns, None, tokenizer, length, workers=1, progress=progress
            )
        warn_of_cut(examples.cut, len(examples), length)
        rows = np.empty((len(examples), self.config.hidden_dim), "float32")
        for indices, outputs in predictions(self, examples, batch_size):
            rows[indices] = mean_of_tokens(
                outputs["sequence_output"], examples.lengths[indices]
            )
        return to_length_one(rows) if normalize else rows


def mean_of_tokens(sequence_output, lengths):
    """Means over the tokens of a batch, in float32.

    Args:
        sequence_output: `(B, T, H)`, 0 at padding.
        lengths: Number of tokens of each row, `(B,)`.

    Returns:
        `(B, H)`.
    """
    sums = np.asarray(sequence_output, "float32").sum(axis=1)
    return sums / np.asarray(lengths, "float32")[:, None]


def to_length_one(rows):
    """Divides rows `(N, H)` by their Euclidean lengths; 0 stays 0."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.maximum(lengths, 1e-12)
