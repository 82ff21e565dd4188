"""Fills in the `[MASK]`s of texts."""

import numpy as np

from albert_keras.data.tasks.masked_texts import MaskedTexts
from albert_keras.decoding.mask_filling import likeliest_fills
from albert_keras.models.texts.predicting import predictions
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.problems import softmax
from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL
from albert_keras.tokenization.text_list import filled_text_list


def fill_mask(model, texts, top, batch_size):
    """Implements `AlbertForMaskedLM.fill_mask`."""
    if isinstance(texts, str):
        return fill_mask(model, [texts], top, batch_size)[0]
    if not (texts := filled_text_list(texts)):
        return []
    examples = masked_texts(model, texts)
    tokenizer = tokenizer_of(model)
    results = [[] for _ in texts]
    for indices, outputs in predictions(model, examples, batch_size):
        logits = np.asarray(outputs["mlm_logits"], "float32")  # (B, P, V)
        for index, row in zip(indices.tolist(), logits, strict=True):
            results[index] = [
                _likeliest(tokenizer, mask, top)
                for mask in row[: examples.num_masks[index]]
            ]
    return results


def masked_texts(model, texts):
    """The `MaskedTexts` of a model."""
    tokenizer = tokenizer_of(model)
    return MaskedTexts(texts, tokenizer, model.preprocessor.sequence_length)


def masked_inputs(model, columns):
    """A masked language model's inputs for texts with `[MASK]`s."""
    if len(columns) > 1:
        raise ValueError(
            f"{type(model).__name__} takes single texts. Received: pairs. "
            "Pass one list of strings."
        )
    examples = masked_texts(model, columns[0])
    width = int(examples.lengths.max())
    return examples.batch(np.arange(len(examples)), width)[0]


def _likeliest(tokenizer, logits, top):
    return [
        {
            "token": fill.piece,
            "text": fill.piece.replace(SPACE_SYMBOL, " ").strip(),
            "probability": fill.probability,
        }
        for fill in likeliest_fills(tokenizer, softmax(logits), top)
    ]
