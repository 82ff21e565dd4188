"""Evaluates a model's word tags on a CoNLL file, by seqeval's scores."""

import logging
from pathlib import Path

from seqeval import metrics

from albert_keras.decoding.tag_schemes import find_scheme
from albert_keras.evaluation.prediction import predict_rows
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.files.atomic_write import atomic_file
from albert_keras.tokenization.text_list import text_list
from albert_keras.training import distributed

PREDICTIONS_FILE = "predictions.txt"
_logger = logging.getLogger(__name__)


class TokenEvaluation(TaskEvaluation):
    """Tags all words; precision, recall and F1 of entities, and accuracy.

    The scores are fractions from seqeval, which counts like CoNLL's script:
    an entity is correct if both its words and its type are. The tags show
    their scheme, such as IOB2, IOBES or BILOU (`find_scheme`). Results include
    the scores of each type, such as `PER_f1`. Tags that do not mark entities,
    such as parts of speech, only have an accuracy; a warning says so, and
    names tags that do not belong to the scheme of the others.

    Args:
        windows: `TokenWindows` of a file with tags.
        batch_size: Windows per batch on each device.

    Attributes:
        scheme: The `TagScheme` of the tags of file and model.
        predictions: Tags of each sentence's words, from the last call.
    """

    def __init__(self, windows, batch_size=32):
        self.windows = windows
        self.batch_size = batch_size
        self.predictions = None
        self.scheme = find_scheme(
            (*windows.tag_names, *windows.conll.tag_names)
        )
        explanation = self.scheme.explanation()
        if explanation and distributed.rank() == 0:
            _logger.warning("%s: %s", windows.conll.path, explanation)

    @property
    def metric(self) -> str:
        return "f1" if self.scheme.name else "accuracy"

    @property
    def metrics(self) -> tuple[str, ...]:
        if self.scheme.name:
            return ("f1", "precision", "recall", "accuracy")
        return ("accuracy",)

    def evaluate(self, model, progress):
        self.predictions = token_predictions(
            model, self.windows, self.batch_size, progress
        )
        labels = self.windows.conll.tags
        accuracy = float(metrics.accuracy_score(labels, self.predictions))
        if not self.scheme.name:
            return {"accuracy": accuracy}
        scores = entity_scores(
            *(
                [self.scheme.to_iobes(tags) for tags in sentences]
                for sentences in (labels, self.predictions)
            )
        )
        return {**scores, "accuracy": accuracy}

    def write_predictions(self, directory: Path) -> None:
        write_predictions(directory, self.windows.conll, self.predictions)


def token_predictions(model, windows, batch_size=32, progress=None):
    """Predicts the tags of each sentence's words, on every rank."""
    tag_ids = predict_rows(
        model,
        windows,
        batch_size,
        progress,
        pick=lambda logits: logits.argmax(axis=-1),
    )
    return windows.tags_of_words(tag_ids)


def entity_scores(labels, predictions):
    """Computes seqeval's scores over all entities and per type.

    Args:
        labels, predictions: A list of tags for each sentence, in IOB1, IOB2 or
            IOBES.

    Returns:
        `f1`, `precision`, `recall`, and for each type `TYPE_f1` and so on.

    Raises:
        ValueError: If a sentence is a string in place of a list of tags, or
            an item of it is no string.
    """
    labels, predictions = (
        [text_list(tags, f"{name}[{i}]") for i, tags in enumerate(sentences)]
        for name, sentences in (
            ("labels", labels),
            ("predictions", predictions),
        )
    )
    names = {"f1": "f1-score", "precision": "precision", "recall": "recall"}
    averages = ("micro avg", "macro avg", "weighted avg")
    report = {}
    if metrics.sequence_labeling.get_entities(labels) or (
        metrics.sequence_labeling.get_entities(predictions)
    ):
        report = metrics.classification_report(
            labels, predictions, output_dict=True, zero_division=0
        )
    overall = report.get("micro avg", {})
    scores = {name: float(overall.get(key, 0.0)) for name, key in names.items()}
    for kind, values in report.items():
        if kind not in (*averages, "_"):  # of tags without types
            scores |= {
                f"{kind}_{name}": float(values[key])
                for name, key in names.items()
            }
    return scores


def write_predictions(directory, conll, predictions):
    """Writes the file's columns with the predicted tag as the last one.

    The format of CoNLL's scoring script: columns separated by spaces, and a
    blank line between sentences. Separated by tabs if a cell has a space.
    """
    columns = (cell for s in conll.sentences for row in s.rows for cell in row)
    separator = "\t" if any(" " in cell for cell in columns) else " "
    path = Path(directory) / PREDICTIONS_FILE
    with atomic_file(path, encoding="utf-8") as file:
        for sentence, tags in zip(conll.sentences, predictions, strict=True):
            for row, tag in zip(sentence.rows, tags, strict=True):
                file.write(separator.join([*row, tag]) + "\n")
            file.write("\n")
