"""What the recipes do with data and models beside training."""

import json
from pathlib import Path

from albert_keras.evaluation.task_evaluation import EVALUATION_FILE
from albert_keras.models.auto import load_model
from albert_keras.tokenization.tokenizer import AlbertTokenizer
from albert_keras.training import distributed
from albert_keras.workflows.finetune import check_length
from albert_keras.workflows.progress_bars import progress_bars


def load_tokenizer(settings):
    """The tokenizer of `--vocabulary`, or else of `--pretrained`."""
    return AlbertTokenizer.from_pretrained(
        settings.vocabulary or settings.pretrained
    )


def load_fine_tuned(settings, model_class):
    """A model of a class, whose head is not random.

    Raises:
        ValueError: If `--pretrained` holds another.
    """
    model = load_model(settings.pretrained, dtype=settings.precision)
    if not isinstance(model, model_class):
        raise ValueError(
            f"{settings.pretrained} holds an {type(model).__name__}, not an "
            f"{model_class.__name__}. Fine-tune it first: --mode train."
        )
    return model


def make_examples(settings, make):
    """Encodes texts, with a bar; the first rank fills the cache.

    Args:
        settings: `FinetuningSettings`.
        make: Called with `workers` and `progress` of `encode_texts`.
    """

    def make_with_bar():
        with progress_bars("texts") as progress:
            return make(workers=settings.workers, progress=progress)

    return distributed.first_rank_first(make_with_bar)


def say_report(path, total, report):
    """Says what of a file is not used as it stands.

    Args:
        path: The file.
        total: Number of what it has of them.
        report: Lists of the ones concerned, by what was done.
    """
    for what, places in report.items():
        if places:
            shown = ", ".join(str(place) for place in places[:5])
            more = ", ..." if len(places) > 5 else ""
            distributed.say(
                f"{path}: {len(places):,} of {total:,} {what}: {shown}{more}."
            )


def claim(settings, *written):
    """The output directory, which must hold nothing but an evaluation.

    Args:
        settings: `FinetuningSettings`.
        *written: Names of the files that the recipe writes.
    """
    directory = Path(settings.output_dir)
    if directory.is_file():
        raise ValueError(f"{directory} is a file. Pass a directory.")
    names = {path.name for path in directory.glob("*")}
    others = sorted(names - {EVALUATION_FILE, *written})
    if others:
        raise ValueError(
            f"{directory} holds something other than an evaluation: "
            f"{', '.join(others[:8])}. Pass a new --output_dir."
        )
    return directory


def evaluate_alone(evaluation, model, all_examples, output_dir):
    """Evaluates a model, prints and writes the metrics, and returns them.

    Args:
        evaluation: A `TaskEvaluation`.
        model: A fine-tuned model.
        all_examples: The `Examples` that it predicts for.
        output_dir: Gets predictions and metrics.
    """
    for examples in all_examples:
        check_length(examples, model)
    with progress_bars("rows") as progress:
        share = sum(map(len, all_examples)) // distributed.size()
        metrics = evaluation(model, progress("evaluating", share))
    if distributed.rank() == 0:
        evaluation.write(output_dir)
        print(json.dumps(metrics, indent=2))
    return metrics
