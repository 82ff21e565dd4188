"""Loads a model of the class that a pretrained source names."""

from albert_keras.conversion import local_directory, read_pretrained
from albert_keras.models.backbone import AlbertBackbone
from albert_keras.models.masked_lm import AlbertForMaskedLM
from albert_keras.models.multiple_choice import AlbertForMultipleChoice
from albert_keras.models.pretraining import AlbertForPretraining
from albert_keras.models.question_answering import AlbertForQuestionAnswering
from albert_keras.models.sequence_classification import (
    AlbertForSequenceClassification,
)
from albert_keras.models.token_classification import (
    AlbertForTokenClassification,
)

_CLASSES = {
    model.__name__: model
    for model in (
        AlbertBackbone,
        AlbertForMaskedLM,
        AlbertForMultipleChoice,
        AlbertForPretraining,
        AlbertForQuestionAnswering,
        AlbertForSequenceClassification,
        AlbertForTokenClassification,
    )
}


def load_model(source, dtype=None, strict=True, **kwargs):
    """Loads a pretrained model of the class that its source names.

    Args:
        source, dtype, strict, **kwargs: As for `from_pretrained` of each class.

    Returns:
        The model, with the heads that the source has.

    Raises:
        ValueError: As for `from_pretrained`, or if the class does not belong
            to this package.
    """
    with local_directory(source) as directory:
        parts = read_pretrained(directory)
    return model_class(parts).from_parts(
        parts, dtype=dtype, strict=strict, **kwargs
    )


def model_class(parts):
    """Returns the class that `PretrainedParts` name.

    Raises:
        ValueError: If it does not belong to this package.
    """
    if parts.model_class not in _CLASSES:
        raise ValueError(
            f"The class of the model must be one of {tuple(_CLASSES)}. "
            f"Received: {parts.model_class!r} in {parts.source}. Load it with "
            "that class's `from_pretrained`."
        )
    return _CLASSES[parts.model_class]
