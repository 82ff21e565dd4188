"""Classifies texts: labels by name with their probabilities."""

from albert_keras.models.texts.predicting import predict
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.text_tasks.classification import Classification
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.tokenization.text_columns import text_columns


def classify(model, texts, pairs, batch_size):
    """Implements `AlbertForSequenceClassification.classify`."""
    if isinstance(texts, str):
        pairs = None if pairs is None else [pairs]
        return classify(model, [texts], pairs, batch_size)[0]
    tokenizer = tokenizer_of(model)
    columns = text_columns(texts if pairs is None else (texts, pairs))
    if columns is None:
        return _nothing(texts)
    facts = ModelFacts.of(model)

    def task(**kwargs):
        return Classification(facts, tokenizer, columns, **kwargs)

    return predict(model, task, batch_size, in_order=True)


def class_names(model):
    """The names of a model's classes; their numbers if they have none."""
    return model.class_names or tuple(map(str, range(model.num_classes)))


def _nothing(texts):
    """An empty list for no texts; an error for what is no text."""
    if hasattr(texts, "__len__") and not len(texts):
        return []
    raise ValueError(
        "`texts` must be a string or a list of strings. Received: "
        f"{type(texts).__name__} {texts!r:.60}. For ids, call `predict`."
    )
