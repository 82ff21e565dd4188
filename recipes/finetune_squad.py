"""Fine-tunes ALBERT on SQuAD 1.1 or 2.0, evaluates it, or answers questions.

    python recipes/finetune_squad.py --pretrained runs/tiny \
        --train_file train-v2.0.json --dev_file dev-v2.0.json \
        --output_dir runs/squad

The files determine the version. The run directory contains settings, metrics
(CSV, TensorBoard, curves.png), checkpoints, the prediction files of the
official scripts with their metrics, and in `best/` the model with the best F1.
The same command with `--resume` continues an interrupted run.

    python recipes/finetune_squad.py --mode evaluate --pretrained runs/squad \
        --dev_file dev-v2.0.json --output_dir runs/squad-dev
    python recipes/finetune_squad.py --mode predict --pretrained runs/squad \
        --text_file notes.txt --question 'Who wrote it?'
"""

import functools

from albert_keras import AlbertForQuestionAnswering
from albert_keras.data.tasks.squad import Question, Squad
from albert_keras.decoding.span_decoding import PREDICTION_FILES
from albert_keras.evaluation.squad_evaluation import answer
from albert_keras.files.text_files import read_text
from albert_keras.training import distributed
from albert_keras.workflows.evaluate import (
    by_mode,
    claim,
    describer,
    evaluate_alone,
    load_fine_tuned,
    predict_alone,
)
from albert_keras.workflows.finetune import Task, finetune
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.task_settings import (
    SQUAD_DEFAULTS,
    SquadSettings,
)
from albert_keras.workflows.squad_data import (
    data_report,
    make_evaluation,
    make_windows,
    read_with_answers,
)


def main(argv=None):
    run = by_mode(train=train, evaluate=evaluate, predict=predict)
    return run_recipe("finetune_squad", run, SquadSettings, argv)


def train(settings, tokenizer):
    """Fine-tunes and evaluates a model, and returns the run directory."""
    squad = read_with_answers(settings.train_file)
    defaults = SQUAD_DEFAULTS[squad.version]
    training = make_windows(settings, squad, tokenizer, training=True)
    evaluation = None
    if settings.dev_file:
        evaluation = make_evaluation(settings, tokenizer)

    return finetune(
        settings,
        Task(
            name=f"SQuAD {squad.version}",
            defaults=defaults,
            training=training,
            tokenizer=tokenizer,
            model_class=AlbertForQuestionAnswering,
            arguments={"answerability_head": settings.answerability_head},
            evaluation=evaluation,
            card=f"{len(squad.questions):,} questions of {squad.path}.",
            report=data_report(training, training=True),
            describe_data=describer(settings, "train_file", "dev_file"),
        ),
    )


def evaluate(settings, tokenizer):
    """Evaluates a fine-tuned model on the dev file, and returns the metrics."""
    output_dir = claim(settings, *PREDICTION_FILES)
    evaluation = make_evaluation(settings, tokenizer)
    model = load_fine_tuned(settings, AlbertForQuestionAnswering)
    return evaluate_alone(evaluation, model, [evaluation.windows], output_dir)


def predict(settings, tokenizer):
    """Answers questions about a text file, and returns the answers."""
    if settings.output_dir is not None:
        claim(settings, *PREDICTION_FILES)
    text = read_paragraph(settings.text_file)
    questions = {f"question {n}": q for n, q in enumerate(settings.question, 1)}
    squad = Squad(
        paragraphs=(text,),
        questions=tuple(
            Question(id=key, text=question, paragraph=0)
            for key, question in questions.items()
        ),
        version="2.0",
        path=settings.text_file,
        has_answers=False,
    )
    windows = make_windows(settings, squad, tokenizer)
    model = load_fine_tuned(settings, AlbertForQuestionAnswering)
    predictions = predict_alone(
        functools.partial(
            answer,
            n_best=settings.n_best,
            max_answer_length=settings.max_answer_length,
        ),
        settings,
        model,
        windows,
    )
    answers = predictions.answers(settings.null_score_threshold)
    if distributed.rank() == 0:
        if settings.output_dir is not None:
            predictions.write(
                settings.output_dir, settings.null_score_threshold
            )
        for key, question in questions.items():
            print(f"{question}\n  {answers[key] or '(no answer)'}")
            for other in predictions.nbest[key][:3]:
                shown = other["text"] or "(no answer)"
                print(f"    {other['probability']:6.1%}  {shown}")
    return answers


def read_paragraph(path):
    """The text of a UTF-8 file, which must not be empty."""
    try:
        text = read_text(path)
    except OSError as error:
        raise ValueError(
            f"--text_file {path} cannot be read: {error}."
        ) from error
    if not text.strip():
        raise ValueError(f"--text_file {path} is empty. Pass a text file.")
    return text


if __name__ == "__main__":
    main()
