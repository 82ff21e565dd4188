"""The model that a pretraining run starts with."""

import time
from pathlib import Path
from typing import Any

from albert_keras.config import AlbertConfig
from albert_keras.data.corpus.corpus_statistics import (
    MAX_TOKENS,
    corpus_embeddings,
    log_frequencies,
    token_counts,
)
from albert_keras.data.corpus.token_store import TokenStore
from albert_keras.files.run_layout import CHECKPOINTS
from albert_keras.models.backbone import AlbertBackbone
from albert_keras.models.pretraining import AlbertForPretraining
from albert_keras.tokenization.same_vocabulary import check_same_vocabulary
from albert_keras.training import distributed
from albert_keras.training.runs.checkpoint import (
    DESCRIPTION_FILE,
    newest_checkpoint,
    restore_checkpoint,
)
from albert_keras.workflows.compile_model import compile_model
from albert_keras.workflows.progress_bars import progress_bars
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)


def make_model(
    settings: PretrainingSettings, store: TokenStore
) -> AlbertForPretraining:
    """The compiled model, with random or pretrained weights."""
    dropouts: dict[str, Any] = {
        "hidden_dropout": settings.hidden_dropout_prob,
        "attention_dropout": settings.attention_probs_dropout_prob,
    }
    if settings.load_from == "pretrained":
        model = AlbertForPretraining.from_pretrained(
            settings.pretrained, dtype=settings.precision, **dropouts
        )
    else:
        config = AlbertConfig.from_size(
            settings.model_size,
            vocabulary_size=store.vocabulary_size,
            max_sequence_length=max(512, settings.max_seq_length),
            pre_layer_norm=settings.pre_layer_norm,
            **dropouts,
        )
        backbone = AlbertBackbone.from_albert_config(
            config, dtype=settings.precision
        )
        model = AlbertForPretraining(backbone)
    _check_model(settings, store, model.config)
    model.card.update(_make_card(settings, store))
    model.train_only(*settings.objectives())
    compile_model(
        settings,
        model,
        settings.peak_learning_rate(distributed.replicas()),
        settings.warmup(),
        settings.total_steps,
        **_optimizer_arguments(settings),
    )
    return model


def start_weights(
    settings: PretrainingSettings,
    model: AlbertForPretraining,
    store: TokenStore,
) -> int:
    """Gives a new run its weights, as `load_from` says.

    A model from scratch gets token embeddings from the corpus's statistics;
    `--load_from checkpoint` restores another run's checkpoint.

    Returns:
        The number of updates done.

    Raises:
        ValueError: If the checkpoint is of another vocabulary, or has as many
            updates behind it as the run shall have.
    """
    if settings.load_from == "scratch":
        if settings.initialize_embeddings == "corpus":
            _initialize_from_corpus(model, store, settings.seed)
        return 0
    if settings.load_from == "pretrained":
        return 0
    path = _find_checkpoint(Path(str(settings.checkpoint_path)))
    check_corpus_vocabulary(path, store)
    step = restore_checkpoint(path, model, settings.load_optimizer_state)
    if not settings.load_optimizer_state:
        return 0
    if step >= settings.total_steps:
        raise ValueError(
            f"There is nothing left to do: {path} has {step:,} updates behind "
            f"it, and --total_steps is {settings.total_steps:,}. Pass a larger "
            "--total_steps, or --no_load_optimizer_state to take only the "
            "weights and count from 0."
        )
    return step


def check_corpus_vocabulary(
    source: str | Path, store: TokenStore, is_same_run: bool = False
) -> None:
    """Raises if a model was trained with another vocabulary than the corpus's.

    Args:
        source: A pretrained directory of any format, or a checkpoint.
        store: The corpus.
        is_same_run: Whether a run resumes from the checkpoint.
    """
    remedy = (
        "Prepare the corpus with the model's vocabulary (prepare_corpus.py "
        "--vocabulary FILE.model, and the same rules for case and accents), or "
        "start from random weights with --load_from scratch."
    )
    if is_same_run:
        remedy = (
            "Resume with the corpus that the run was started with, or start a "
            "new run with another --output_dir."
        )
    check_same_vocabulary(
        source,
        store.tokenizer,
        f"the corpus {store.directory}",
        remedy,
        may_lack=distributed.rank() > 0,  # one warning will do
    )


def _find_checkpoint(path):
    """A checkpoint directory, or the newest one of a run."""
    if (path / DESCRIPTION_FILE).is_file():
        return path
    for directory in (path / CHECKPOINTS, path):
        newest = newest_checkpoint(directory)
        if newest is not None:
            return newest
    raise ValueError(
        f"--checkpoint_path {path} holds no checkpoint. Pass a directory "
        f"step-... with {DESCRIPTION_FILE}, or the directory of a run; for a "
        "model without the state of its training, pass --load_from pretrained."
    )


def _initialize_from_corpus(model, store, seed):
    """Starts the token embeddings from co-occurrences, showing progress."""
    total = min(store.manifest["num_tokens"], MAX_TOKENS)
    start = time.perf_counter()
    try:
        with progress_bars(unit=" tokens", unit_scale=True) as progress:
            embeddings = corpus_embeddings(
                store,
                model.config.embedding_dim,
                seed,
                progress("Counting co-occurrences", total),
            )
    except ImportError as error:
        raise ValueError(
            f"Embeddings from the corpus need scikit-learn ({error}). Install "
            "it with `pip install 'albert-keras[recipes]'`, or pass "
            "--initialize_embeddings random."
        ) from error
    counts = token_counts(store, seed)
    model.initialize_tokens(embeddings, log_frequencies(counts))
    distributed.say(
        "Initialized the token embeddings from the co-occurrences of "
        f"{counts.sum():,} tokens in {time.perf_counter() - start:.0f} s."
    )


def _check_model(settings, store, config):
    """Raises if model, corpus and settings do not match."""
    if config.vocabulary_size != store.vocabulary_size:
        raise ValueError(
            f"The model of {settings.pretrained} has a vocabulary of "
            f"{config.vocabulary_size}, the corpus {store.directory} of "
            f"{store.vocabulary_size}. Prepare the corpus with the model's "
            "vocabulary: prepare_corpus.py --vocabulary."
        )
    if settings.load_from == "pretrained":
        check_corpus_vocabulary(settings.pretrained, store)
    if settings.max_seq_length > config.max_sequence_length:
        raise ValueError(
            f"--max_seq_length {settings.max_seq_length} is longer than the "
            f"model's {config.max_sequence_length} positions. Pass "
            f"{config.max_sequence_length} or less."
        )


def _optimizer_arguments(settings):
    """Optimizer arguments that only pretraining has."""
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    if settings.optimizer == "lamb":
        return {**betas, "bias_correction": settings.bias_correction}
    return betas


def _make_card(settings, store):
    """Data and training for the model card."""
    shown = (
        "optimizer",
        "learning_rate",
        "warmup_steps",
        "total_steps",
        "max_seq_length",
        "weight_decay",
        "hidden_dropout_prob",
        "load_from",
        "seed",
    )
    training = {name: getattr(settings, name) for name in shown}
    replicas = distributed.replicas()
    training["learning_rate"] = settings.peak_learning_rate(replicas)
    training["warmup_steps"] = settings.warmup()
    training["global_batch"] = settings.compute_global_batch_size(replicas)
    return {
        "name": settings.name or f"ALBERT {settings.model_size}",
        "data": (
            f"{store.manifest['num_tokens']:,} tokens, unigram entropy "
            f"{store.unigram_entropy:.2f} nats."
        ),
        "training": training,
    }
