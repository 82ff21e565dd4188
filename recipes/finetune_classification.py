"""Fine-tunes ALBERT on your own texts and labels, evaluates it, or predicts.

    python recipes/finetune_classification.py --pretrained runs/base \
        --train_file reviews.csv --text_column text --label_column label \
        --output_dir runs/reviews

The file is CSV, TSV, JSON Lines or Parquet, with a row for each text; delimiter
and encoding are found out. Labels are names in any language, lists of them or
`a|b` (several for a text), 0 and 1 in a column for each, or numbers; the recipe
says what it found, and `--problem` sets it. A second text is in
`--pair_column`. Without `--dev_file` a tenth of the rows is held out
(`--dev_share`). Rows that cannot be used are counted and listed by their line.
The run directory contains settings, metrics (CSV, TensorBoard, curves.png),
the confusion matrix, the calibration curve, checkpoints, predictions for the
development rows, and in `best/` the model with the best score. The same command
with `--resume` continues an interrupted run.

    python recipes/finetune_classification.py --mode predict \
        --pretrained runs/reviews/best --input_file new.csv \
        --output_file predictions.csv
    python recipes/finetune_classification.py --mode evaluate \
        --pretrained runs/reviews/best --dev_file test.csv \
        --output_dir runs/reviews-test

The second command writes the columns of its input, then `prediction` and
`probability`. It reads and writes in chunks: files may be larger than memory.
"""

import functools

from albert_keras import AlbertForSequenceClassification
from albert_keras.data.tables.class_weights import class_weights
from albert_keras.evaluation.classification_evaluation import PREDICTIONS_FILE
from albert_keras.reporting.classification_figures import FIGURES
from albert_keras.training import distributed
from albert_keras.workflows.classification_data import (
    default_length,
    draw_figures,
    find_sequence_length,
    labels_of,
    make_evaluation,
    make_loss,
    make_texts,
    read_labelled,
    read_training_data,
)
from albert_keras.workflows.evaluate import (
    by_mode,
    claim,
    describer,
    evaluate_alone,
    load_fine_tuned,
)
from albert_keras.workflows.finetune import Task, finetune
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.task_settings import (
    CLASSIFICATION_DEFAULTS,
    ClassificationSettings,
)
from albert_keras.workflows.table_prediction import predict_table


def main(argv=None):
    run = by_mode(train=train, evaluate=evaluate, predict=predict)
    return run_recipe(
        "finetune_classification", run, ClassificationSettings, argv
    )


def train(settings, tokenizer):
    """Fine-tunes and evaluates a model, and returns the run directory."""
    data = read_training_data(settings)
    labels, table = data.labels, data.table
    loss = make_loss(settings, labels.problem)
    weights = class_weights(settings.class_weights, labels, data.encoded)
    length = find_sequence_length(settings)
    training, report = make_texts(
        settings, tokenizer, table, data.encoded, length, weights
    )
    report = {**table.unusable, **report}
    evaluation, draw = None, lambda directory: []
    if data.dev is not None:
        dev = (data.dev, data.dev_encoded)
        examples, _ = make_texts(settings, tokenizer, *dev, length)
        evaluation = make_evaluation(settings, *dev, labels, examples)
        draw = functools.partial(draw_figures, evaluation)
        if settings.dev_file:
            report["dev_file"] = data.dev.unusable

    return finetune(
        settings,
        Task(
            name=f"classification ({labels.problem})",
            defaults=CLASSIFICATION_DEFAULTS,
            training=training,
            tokenizer=tokenizer,
            model_class=AlbertForSequenceClassification,
            arguments={
                "num_classes": labels.num_classes,
                "class_names": labels.class_names or None,
                "problem": labels.problem,
            },
            loss=loss,
            evaluation=evaluation,
            card=f"{len(table):,} rows of {table.path}.",
            report=report,
            describe_data=describer(settings, "train_file", "dev_file"),
            draw_figures=draw,
        ),
    )


def evaluate(settings, tokenizer):
    """Evaluates a fine-tuned model on the dev file, and returns the metrics."""
    output_dir = claim(settings, PREDICTIONS_FILE, *FIGURES)
    model = load_fine_tuned(settings, AlbertForSequenceClassification)
    labels = labels_of(model, settings)
    table, encoded = read_labelled(settings, settings.dev_file, labels)
    length = settings.max_seq_length or default_length(model.config)
    examples, _ = make_texts(settings, tokenizer, table, encoded, length)
    evaluation = make_evaluation(settings, table, encoded, labels, examples)
    metrics = evaluate_alone(evaluation, model, [examples], output_dir)
    if distributed.rank() == 0:
        draw_figures(evaluation, output_dir)
    return metrics


def predict(settings, tokenizer):
    """Predicts for the input file, and returns the path of the output file."""
    model = load_fine_tuned(settings, AlbertForSequenceClassification)
    return predict_table(settings, model, tokenizer)


if __name__ == "__main__":
    main()
