"""Fine-tuning recipes apart from training: modes, examples, evaluation."""

import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from albert_keras.data.tasks.example_batches import Examples
from albert_keras.evaluation.task_evaluation import (
    EVALUATION_FILE,
    TaskEvaluation,
)
from albert_keras.files.directory_lock import LOCK_FILE, DirectoryLock
from albert_keras.models.auto import load_model
from albert_keras.tokenization.same_vocabulary import check_same_vocabulary
from albert_keras.tokenization.tokenizer import AlbertTokenizer
from albert_keras.training import distributed
from albert_keras.training.runs.same_data import describe_files
from albert_keras.workflows.finetune import check_fits
from albert_keras.workflows.progress_bars import progress_bars
from albert_keras.workflows.settings.finetuning_settings import (
    FinetuningSettings,
)


def by_mode(**modes: Callable) -> Callable:
    """A fine-tuning recipe: its function for each `--mode`.

    Args:
        **modes: `(settings, tokenizer) -> result` by mode.

    Returns:
        `settings -> result`, for `run_recipe`.
    """

    def run(settings):
        distributed.initialize()
        settings.check()
        with _only_writer(settings):
            return modes[settings.mode](settings, load_tokenizer(settings))

    return run


def _only_writer(settings):
    """Excludes other processes from the output directory.

    A training run locks its directory itself.
    """
    directory = settings.output_dir
    is_result = settings.mode != "train" and directory is not None
    if not is_result or distributed.rank() or Path(directory).is_file():
        return contextlib.nullcontext()
    use = {"evaluate": "An evaluation", "predict": "A prediction"}
    return DirectoryLock(directory, use[settings.mode])


def load_tokenizer(settings: FinetuningSettings) -> AlbertTokenizer:
    """The tokenizer of `--vocabulary`, or else of `--pretrained`.

    Raises:
        ValueError: If `--pretrained` has another vocabulary.
    """
    if settings.vocabulary is None:
        return AlbertTokenizer.from_pretrained(settings.pretrained)
    tokenizer = AlbertTokenizer.from_pretrained(settings.vocabulary)
    check_same_vocabulary(
        settings.pretrained,
        tokenizer,
        settings.vocabulary,
        "Omit --vocabulary to use the model's.",
        may_lack=True,
    )
    return tokenizer


def load_fine_tuned(settings: FinetuningSettings, model_class: type) -> Any:
    """Loads the model of `--pretrained`, whose head must be trained.

    Raises:
        ValueError: If it is not a `model_class`.
    """
    model = load_model(settings.pretrained, dtype=settings.precision)
    if not isinstance(model, model_class):
        raise ValueError(
            f"{settings.pretrained} holds an {type(model).__name__}, not an "
            f"{model_class.__name__}. Fine-tune it first: --mode train."
        )
    return model


def make_examples(settings: FinetuningSettings, make: Callable) -> Any:
    """Encodes texts with a progress bar; the first rank fills the cache.

    Args:
        settings: The recipe's settings.
        make: Called with the arguments `workers` and `progress` of
            `encode_texts`; returns the `Examples`.
    """

    def make_with_bar():
        with progress_bars("texts") as progress:
            return make(workers=settings.workers, progress=progress)

    return distributed.first_rank_first(make_with_bar)


def say_report(path: str | Path, total: int, report: dict[str, list]) -> None:
    """Prints how many items of a file were changed or left out.

    Args:
        path: The file.
        total: Number of all items in it.
        report: Places of the affected items, by what was done to them.
    """
    for what, places in report.items():
        if places:
            shown = ", ".join(str(place) for place in places[:5])
            more = ", ..." if len(places) > 5 else ""
            distributed.say(
                f"{path}: {len(places):,} of {total:,} {what}: {shown}{more}."
            )


def describer(
    settings: FinetuningSettings, *names: str
) -> Callable[[], dict[str, Any]]:
    """A function that describes the files of settings, for `Task`.

    Args:
        settings: The recipe's settings.
        *names: Names of the settings that hold paths, or None.
    """
    paths = {name: getattr(settings, name) for name in names}
    return lambda: {
        name: describe_files(path) for name, path in paths.items() if path
    }


def claim(settings: FinetuningSettings, *written: str) -> Path:
    """The output directory, which may hold only an earlier evaluation.

    Args:
        settings: The recipe's settings.
        *written: Names of the files that the recipe writes.

    Raises:
        ValueError: If it holds other files.
    """
    directory = Path(settings.output_dir)
    if directory.is_file():
        raise ValueError(f"{directory} is a file. Pass a directory.")
    names = {path.name for path in directory.glob("*")}
    others = sorted(names - {LOCK_FILE, EVALUATION_FILE, *written})
    if others:
        raise ValueError(
            f"{directory} holds something other than an evaluation: "
            f"{', '.join(others[:8])}. Pass a new --output_dir."
        )
    return directory


def evaluate_alone(
    evaluation: TaskEvaluation,
    model: Any,
    all_examples: Iterable[Examples],
    output_dir: str | Path,
) -> dict[str, Any]:
    """Evaluates a model; prints, writes and returns the metrics.

    Args:
        evaluation: The evaluation.
        model: A fine-tuned model.
        all_examples: The examples that the evaluation predicts.
        output_dir: Directory for predictions and metrics.
    """
    all_examples = list(all_examples)
    for examples in all_examples:
        check_fits(examples, model)
    with progress_bars("rows") as progress:
        share = sum(map(len, all_examples)) // distributed.size()
        metrics = evaluation(model, progress("evaluating", share))
    if distributed.rank() == 0:
        evaluation.write(output_dir)
        print(json.dumps(metrics, indent=2))
    return metrics


def predict_alone(
    predict: Callable,
    settings: FinetuningSettings,
    model: Any,
    examples: Examples,
    description: str = "predicting",
) -> Any:
    """Predicts with a progress bar.

    Args:
        predict: `(model, examples, batch_size, progress) -> predictions`.
        settings: The recipe's settings.
        model: A fine-tuned model.
        examples: What to predict.
        description: Text of the progress bar.
    """
    check_fits(examples, model)
    with progress_bars("rows") as progress:
        share = len(examples) // distributed.size()
        advance = progress(description, share)
        return predict(model, examples, settings.eval_batch_size, advance)
