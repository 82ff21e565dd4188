"""Training and validation batches of a pretraining run."""

from albert_keras.data.corpus.token_store import TokenStore
from albert_keras.data.pretraining.dataset import PretrainingDataset
from albert_keras.data.pretraining.staged_dataset import StagedDataset
from albert_keras.training import distributed
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)


def make_datasets(
    settings: PretrainingSettings, store: TokenStore
) -> tuple[PretrainingDataset | StagedDataset, PretrainingDataset]:
    """Endless training batches, and validation batches that stay the same."""

    def make_training(sequence_length):
        return PretrainingDataset(
            store,
            sequence_length,
            settings.compute_global_batch_size(distributed.devices()),
            seed=settings.seed,
            rank=distributed.rank(),
            size=distributed.size(),
            **_row_arguments(settings),
        )

    training = make_training(settings.max_seq_length)
    if settings.first_seq_length:
        first = make_training(settings.first_seq_length)
        training = StagedDataset(
            [(first, settings.first_seq_steps), (training, None)]
        )
    return training, make_validation(settings, store)


def make_validation(
    settings: PretrainingSettings, store: TokenStore
) -> PretrainingDataset:
    """Validation batches of this rank, the same at each validation."""
    devices = distributed.devices()
    return PretrainingDataset(
        store,
        settings.max_seq_length,
        devices * settings.batch_size,
        split="validation",
        seed=settings.seed + 1,
        num_steps=settings.validation_steps,
        rank=distributed.rank(),
        size=distributed.size(),
        min_batch_size=devices,
        **_row_arguments(settings),
    )


def _row_arguments(settings):
    """Arguments that training and validation batches share."""
    return dict(
        max_predictions=settings.max_predictions_per_seq,
        masked_lm_prob=settings.masked_lm_prob,
        short_sequence_prob=settings.short_seq_prob,
    )
