"""Pretrains ALBERT on a prepared corpus.

    python recipes/pretrain.py --data_dir corpus --model_size tiny \
        --total_steps 300 --output_dir runs/tiny

Trains masked-language modeling and sentence-order prediction with `model.fit`.
One step of `fit` is one update of `batch_size x gradient_accumulation_steps`
rows on each rank. The run directory contains settings, metrics (CSV,
TensorBoard, curves.png) and checkpoints, and is itself a pretrained directory:
`from_pretrained` loads its newest model. The same command with `--resume`
continues an interrupted run. recipes/demo.yaml has the settings, time and
results of a run of five minutes.
"""

import time

import keras

from albert_keras.data import TokenStore
from albert_keras.reporting.curves import plot_curves, pretraining_panels
from albert_keras.training import distributed
from albert_keras.training.callbacks import PlateauWarning, Validation
from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)
from albert_keras.training.runs.checkpoint import newest_checkpoint
from albert_keras.training.runs.sagemaker_container import SageMakerContainer
from albert_keras.training.runs.training_run import TrainingRun
from albert_keras.workflows.pretraining_data import make_datasets
from albert_keras.workflows.pretraining_model import (
    check_corpus_vocabulary,
    make_model,
    start_weights,
)
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)
from albert_keras.workflows.squad_probe import squad_validation


def main(argv=None):
    return run_recipe("pretrain", pretrain, PretrainingSettings, argv)


def pretrain(settings):
    """Starts or resumes a pretraining run, and returns its directory."""
    distributed.initialize()
    settings.check()
    replicas = distributed.replicas()
    run = TrainingRun(settings, settings.compute_global_batch_size(replicas))
    store = TokenStore(settings.data_dir)
    training, validation = make_datasets(settings, store)
    keras.utils.set_random_seed(settings.seed)
    model = make_model(settings, store)
    squad = squad_validation(settings, store.tokenizer, model)
    start = run.start(
        model,
        lambda: start_weights(settings, model, store),
        training.describe_data,
        lambda checkpoint: check_corpus_vocabulary(checkpoint, store, True),
    )

    announce(settings, store, model, training, start)
    plateau = PlateauWarning(store.unigram_entropy, settings.warmup())

    def report_validation(step, metrics):
        distributed.say(f"\nUpdate {step:,}: {describe(metrics, store)}")
        if plateau.metric in metrics:
            plateau(step, metrics)
        model.card["scores"] = scores(step, metrics)

    def export(path):
        model.card["updates"] = int(model.optimizer.iterations)
        model.write_pretrained(path, store.tokenizer)

    run.fit(
        model,
        training,
        settings.total_steps,
        run_name(settings),
        settings.max_seq_length,
        validations=[
            Validation(
                lambda: model.evaluate(validation, return_dict=True, verbose=0),
                settings.validation_frequency,
                report=report_validation,
            ),
            *squad,
        ],
        export=export,
    )
    if distributed.rank() == 0:
        finish(run.directory, store)
    return run.directory.path


def finish(run, store):
    """Plots the curves and prints the results."""
    print()
    if (run.path / METRICS_FILE).is_file():  # else only checkpoints are left
        panels = pretraining_panels(store.unigram_entropy)
        figure = plot_curves(run.path, panels)
        report(run, store)
        print(f"Curves: {figure}. ", end="")
    print(f"Model: {newest_checkpoint(run.checkpoints)}.")


def run_name(settings):
    """The run's name, given or composed."""
    return settings.composed_name(
        distributed.replicas(),
        time.strftime("%Y%m%d-%H%M%S"),
        "sm" if SageMakerContainer().runs_a_job else "local",
    )


def scores(step, metrics):
    """Validation results for the model card."""
    figures = {
        f"validation {name}": f"{value:.4f}" for name, value in metrics.items()
    }
    return {"update": step, **figures}


# === Printed output ===


def announce(settings, store, model, training, start):
    """Prints the size of model, corpus and run."""
    replicas = distributed.replicas()
    rows = settings.compute_global_batch_size(replicas)
    tokens = settings.tokens_per_update(replicas)
    remaining = settings.total_steps - start
    passes = remaining / training.steps_per_pass
    distributed.say(
        f"Run {run_name(settings)}.\n"
        f"ALBERT {settings.model_size}: {model.count_params():,} parameters. "
        f"{store.directory}: {store.manifest['num_tokens']:,} tokens, "
        f"unigram entropy {store.unigram_entropy:.2f} nats (the loss of a "
        "model that has learned only token frequencies).\n"
        f"{remaining:,} updates of {rows:,} x "
        f"{settings.max_seq_length} tokens = {remaining * tokens:,} tokens, "
        f"{passes:.1f} passes over the text. {settings.optimizer}, peak "
        f"learning rate {settings.peak_learning_rate(replicas):.3g} after "
        f"{settings.warmup():,} updates."
    )
    if start:
        distributed.say(f"Resuming from update {start:,}.")


def describe(metrics, store):
    """The results of a validation, for the trained objectives."""
    parts = []
    if "mlm_loss" in metrics:
        parts.append(
            f"validation masked-LM loss {metrics['mlm_loss']:.3f} "
            f"(unigram entropy {store.unigram_entropy:.2f}), "
            f"accuracy {metrics['mlm_accuracy']:.1%}"
        )
    if "sop_accuracy" in metrics:
        parts.append(f"sentence-order accuracy {metrics['sop_accuracy']:.1%}")
    return "; ".join(parts)


def report(run, store):
    """Prints the first and the last validation."""
    rows = read_metrics(run.path / METRICS_FILE)
    validations = [row for row in rows if "val_loss" in row]
    for row in (validations[0], validations[-1]) if validations else ():
        metrics = {
            name.removeprefix("val_"): value
            for name, value in row.items()
            if name.startswith("val_")
        }
        print(f"Update {row['step']:,}: {describe(metrics, store)}")


if __name__ == "__main__":
    main()
