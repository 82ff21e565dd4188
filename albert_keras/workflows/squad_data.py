"""Windows and evaluations of SQuAD files, as settings ask for them."""

from albert_keras.data.tasks.squad import read_squad
from albert_keras.data.tasks.squad_windows import SquadWindows
from albert_keras.evaluation.squad_evaluation import SquadEvaluation
from albert_keras.workflows.evaluate import make_examples, say_report
from albert_keras.workflows.task_settings import SQUAD_DEFAULTS


def make_windows(settings, squad, tokenizer, training=False):
    """Windows of a file; says what was left out or cut."""
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
    say_report(squad.path, len(squad.questions), data_report(windows, training))
    return windows


def data_report(windows, training):
    """Ids of the questions that are not used as they stand, by what was
    done."""
    report = {
        f"questions were cut to {windows.max_query_length} pieces": (
            windows.cut_questions
        )
    }
    if training:
        report[
            "questions were left out, since their answer is not where the "
            "file says"
        ] = windows.unaligned
    return report


def make_evaluation(settings, tokenizer):
    """The evaluation of the dev file."""
    squad = read_squad(settings.dev_file)
    if not squad.has_answers:
        raise ValueError(
            f"{settings.dev_file} has no answers to compare with. Pass a "
            "file that has them."
        )
    return SquadEvaluation(
        make_windows(settings, squad, tokenizer),
        batch_size=settings.eval_batch_size,
        threshold=settings.null_score_threshold,
        n_best=settings.n_best,
        max_answer_length=settings.max_answer_length,
    )
