"""Answers the questions of a SQuAD file with a model and scores them."""

from pathlib import Path

from albert_keras.decoding.span_decoding import SpanDecoder, SquadPredictions
from albert_keras.evaluation.prediction import batches_of_this_rank
from albert_keras.evaluation.squad_metrics import squad_metrics
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.training import distributed


class SquadEvaluation(TaskEvaluation):
    """Answers a file's questions and scores them as the official scripts do.

    The metrics, percentages and counts, have the scripts' names. In version
    2.0 the best thresholds are computed with a non-null answer to every
    question, as in Google's release.

    Args:
        windows: `SquadWindows` of a file with answers.
        batch_size: Windows per batch on each device.
        threshold: Null odds above which an answer is empty.
        **decoding: Further arguments of `answer`.

    Attributes:
        predictions: The `SquadPredictions` of the last call.
    """

    metric = "f1"

    def __init__(
        self,
        windows,
        batch_size=32,
        threshold=0.0,
        **decoding,
    ):
        self.windows = windows
        self.batch_size = batch_size
        self.threshold = threshold
        self.decoding = decoding
        self.predictions: SquadPredictions | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        if self.windows.squad.version == "1.1":
            return ("exact_match", "f1")
        names = ("exact", "f1", "best_exact", "best_f1")
        return (*names, "HasAns_f1", "NoAns_f1")

    def evaluate(self, model, progress):
        self.predictions = answer(
            model, self.windows, self.batch_size, progress, **self.decoding
        )
        # Score the non-null answers; the null odds decide which become empty.
        return squad_metrics(
            self.windows.squad,
            self.predictions.best,
            self.predictions.null_odds or None,
            self.threshold,
        )

    def write_predictions(self, directory: Path) -> None:
        if self.predictions is None:
            raise ValueError(
                "There are no predictions yet. Call the evaluation first."
            )
        self.predictions.write(directory, self.threshold)


def answer(
    model,
    windows,
    batch_size=32,
    progress=None,
    padding_multiple=None,
    **decoding,
):
    """Answers all questions with a model.

    Args:
        model: An `AlbertForQuestionAnswering`.
        windows: The `SquadWindows` of the questions.
        batch_size: Windows per batch on each device.
        progress: Called with the number of windows done on this rank.
        padding_multiple: See `batches_of_this_rank`.
        **decoding: `n_best` and `max_answer_length` of `SpanDecoder`.

    Returns:
        `SquadPredictions`, on every rank.
    """
    batches = batches_of_this_rank(windows, batch_size, padding_multiple)
    decoder = SpanDecoder(windows, **decoding)
    for indices, _, outputs in batches.predict(model, progress):
        decoder.add(indices, outputs)
    states = distributed.gather_objects(decoder.state())
    if distributed.size() > 1:
        decoder = SpanDecoder(windows, **decoding)
        for state in states:
            decoder.merge(state)
    return decoder.finish()
