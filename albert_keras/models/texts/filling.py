"""Fills in the `[MASK]`s of texts."""

import numpy as np

from albert_keras.data.tasks.masked_texts import MaskedTexts
from albert_keras.models.texts.predicting import run_task
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.text_tasks.filled_masks import FilledMasks
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.tokenization.text_list import filled_text_list


def fill_mask(model, texts, top, batch_size):
    """Implements `AlbertForMaskedLM.fill_mask`."""
    if isinstance(texts, str):
        return fill_mask(model, [texts], top, batch_size)[0]
    if not (texts := filled_text_list(texts)):
        return []
    tokenizer = tokenizer_of(model)
    task = FilledMasks(ModelFacts.of(model), tokenizer, texts, top)
    return run_task(model, task, batch_size).predictions()


def masked_inputs(model, columns):
    """A masked language model's inputs for texts with `[MASK]`s."""
    if len(columns) > 1:
        raise ValueError(
            f"{type(model).__name__} takes single texts. Received: pairs. "
            "Pass one list of strings."
        )
    examples = MaskedTexts(
        columns[0], tokenizer_of(model), model.preprocessor.sequence_length
    )
    width = int(examples.lengths.max())
    return examples.batch(np.arange(len(examples)), width)[0]
