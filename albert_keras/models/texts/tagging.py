"""Finds entities in plain texts, with their character offsets."""

from albert_keras.models.texts.predicting import predict
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.tagged_entities import TaggedEntities
from albert_keras.tokenization.text_list import filled_text_list


def tag(model, texts, batch_size):
    """Implements `AlbertForTokenClassification.tag`."""
    if isinstance(texts, str):
        return tag(model, [texts], batch_size)[0]
    tokenizer = tokenizer_of(model)
    texts = filled_text_list(texts)
    if not texts:
        return []
    facts = ModelFacts.of(model)

    def task(**kwargs):
        return TaggedEntities(facts, tokenizer, texts, **kwargs)

    return predict(model, task, batch_size)
