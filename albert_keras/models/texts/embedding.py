"""Embeddings of texts: the mean of the encoder's last layer over the tokens."""

import keras
import numpy as np

from albert_keras.models.texts.predicting import run_texts
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.text_tasks.embeddings import Embeddings, to_length_one
from albert_keras.text_tasks.model_facts import ModelFacts
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
        facts = ModelFacts.of(self)

        def task(**kwargs):
            return Embeddings(facts, tokenizer, columns, **kwargs)

        rows = np.stack(run_texts(self, task, batch_size).rows)
        return to_length_one(rows) if normalize else rows
