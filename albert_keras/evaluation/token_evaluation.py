"""A model's tags of the words of a CoNLL file, and seqeval's scores."""

import re
from pathlib import Path

from seqeval import metrics

from albert_keras.evaluation.prediction import predict_rows
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.files.atomic_write import atomic_file

PREDICTIONS_FILE = "predictions.txt"
_CHUNK_TAG = re.compile(r"O|[BIES]-.+")


class TokenEvaluation(TaskEvaluation):
    """Tags all words; precision, recall and F1 of the entities, accuracy.

    As fractions, by seqeval as CoNLL's script counts: an entity is right
    where its words and its type are. Tags are those of IOB1, IOB2 or IOBES
    (without their scheme being checked). Results also have the scores of each
    type, such as `PER_f1`. Tags that mark no entities, such as parts of
    speech, have accuracy alone.

    Args:
        windows: `TokenWindows` of a file with tags.
        batch_size: Windows at a time on each rank.

    Attributes:
        predictions: Tags of each sentence's words, of the last call.
    """

    def __init__(self, windows, batch_size=32):
        self.windows = windows
        self.batch_size = batch_size
        self.predictions = None
        tags = {*windows.tag_names, *windows.conll.tag_names}
        self.has_entities = all(map(_CHUNK_TAG.fullmatch, tags))

    @property
    def metric(self) -> str:
        return "f1" if self.has_entities else "accuracy"

    @property
    def metrics(self) -> tuple[str, ...]:
        if self.has_entities:
            return ("f1", "precision", "recall", "accuracy")
        return ("accuracy",)

    def evaluate(self, model, progress):
        self.predictions = token_predictions(
            model, self.windows, self.batch_size, progress
        )
        right = self.windows.conll.tags
        accuracy = float(metrics.accuracy_score(right, self.predictions))
        if not self.has_entities:
            return {"accuracy": accuracy}
        return {**entity_scores(right, self.predictions), "accuracy": accuracy}

    def write_predictions(self, directory: Path) -> None:
        write_predictions(directory, self.windows.conll, self.predictions)


def token_predictions(model, windows, batch_size=32, progress=None):
    """Tags of each sentence's words, on every rank."""
    tag_ids = predict_rows(
        model,
        windows,
        batch_size,
        progress,
        pick=lambda logits: logits.argmax(axis=-1),
    )
    return windows.tags_of_words(tag_ids)


def entity_scores(right, predictions):
    """seqeval's scores over all entities, and of each type.

    Args:
        right, predictions: Lists of tags of each sentence.

    Returns:
        `f1`, `precision`, `recall`, and for each type `TYPE_f1` and so on.
    """
    names = {"f1": "f1-score", "precision": "precision", "recall": "recall"}
    averages = ("micro avg", "macro avg", "weighted avg")
    report = {}
    if metrics.sequence_labeling.get_entities(right) or (
        metrics.sequence_labeling.get_entities(predictions)
    ):
        report = metrics.classification_report(
            right, predictions, output_dict=True, zero_division=0
        )
    overall = report.get("micro avg", {})
    scores = {
        name: float(overall.get(theirs, 0.0)) for name, theirs in names.items()
    }
    for kind, values in report.items():
        if kind not in averages:
            scores |= {
                f"{kind}_{name}": float(values[theirs])
                for name, theirs in names.items()
            }
    return scores


def write_predictions(directory, conll, predictions):
    """Writes the columns of the file and, as the last, the predicted tag.

    Separated by spaces, blank lines between sentences: what CoNLL's scoring
    script takes. By tabs where a word has a space.
    """
    columns = (cell for s in conll.sentences for row in s.rows for cell in row)
    separator = "\t" if any(" " in cell for cell in columns) else " "
    path = Path(directory) / PREDICTIONS_FILE
    with atomic_file(path, encoding="utf-8") as file:
        for sentence, tags in zip(conll.sentences, predictions, strict=True):
            for row, tag in zip(sentence.rows, tags, strict=True):
                file.write(separator.join([*row, tag]) + "\n")
            file.write("\n")
