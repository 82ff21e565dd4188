"""Windows and evaluation of SQuAD files."""

import sys

from albert_keras.data.tasks.squad import Squad, read_squad
from albert_keras.data.tasks.squad_windows import SquadWindows
from albert_keras.evaluation.squad_evaluation import SquadEvaluation
from albert_keras.tokenization.tokenizer import AlbertTokenizer
from albert_keras.training import distributed
from albert_keras.workflows.evaluate import make_examples, say_report
from albert_keras.workflows.settings.task_settings import (
    SQUAD_DEFAULTS,
    SquadSettings,
)


def read_with_answers(path: str) -> Squad:
    """Reads a file, which must have answers, to train or evaluate on."""
    squad = read_squad(path)
    if not squad.has_answers:
        raise ValueError(
            f"{path} has no answers to learn or to compare with. Pass a file "
            "with answers."
        )
    return squad


def make_windows(
    settings: SquadSettings,
    squad: Squad,
    tokenizer: AlbertTokenizer,
    training: bool = False,
) -> SquadWindows:
    """Windows of a file; prints which questions were omitted or truncated."""
    defaults = SQUAD_DEFAULTS[squad.version]
    keep = settings.cache and settings.mode != "predict"

    def make(**kwargs):
        return SquadWindows(
            squad,
            tokenizer,
            sequence_length=settings.max_seq_length or defaults.max_seq_length,
            doc_stride=settings.doc_stride,
            max_query_length=settings.max_query_length,
            training=training,
            source=squad.path if keep else None,
            **kwargs,
        )

    windows = make_examples(settings, make)
    say_unanswerable(squad)
    say_report(squad.path, len(squad.questions), data_report(windows, training))
    return windows


def say_unanswerable(squad: Squad) -> None:
    """Says how many questions of version 2.0 have no answer.

    On stderr: the evaluation's stdout is JSON.
    """
    if squad.version == "1.1" or not squad.has_answers or distributed.rank():
        return
    text = (
        f"{squad.path}: {squad.num_unanswerable:,} of "
        f"{len(squad.questions):,} questions have no answer"
    )
    if squad.ignored_answers:
        shown = ", ".join(squad.ignored_answers[:5])
        more = ", ..." if len(squad.ignored_answers) > 5 else ""
        text += (
            f". {len(squad.ignored_answers):,} of these list answers, which "
            "count in the official metrics only, since is_impossible is true: "
            f"{shown}{more}"
        )
    print(f"{text}.", file=sys.stderr)


def data_report(windows: SquadWindows, training: bool) -> dict[str, list]:
    """Ids of the questions that were omitted or truncated, by the reason."""
    report = {
        f"questions were truncated to {windows.max_query_length} tokens": (
            windows.cut_questions
        )
    }
    if training:
        report[
            "questions were omitted, since their answer is not at the file's "
            "position"
        ] = windows.unaligned
    return report


def make_evaluation(
    settings: SquadSettings, tokenizer: AlbertTokenizer
) -> SquadEvaluation:
    """The evaluation on the dev file."""
    squad = read_with_answers(str(settings.dev_file))
    return SquadEvaluation(
        make_windows(settings, squad, tokenizer),
        batch_size=settings.eval_batch_size,
        threshold=settings.null_score_threshold,
        n_best=settings.n_best,
        max_answer_length=settings.max_answer_length,
    )
