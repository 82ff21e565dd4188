"""The training and validation batches of a pretraining."""

from albert_keras.data.pretraining.dataset import PretrainingDataset
from albert_keras.data.pretraining.staged_dataset import StagedDataset
from albert_keras.training import distributed


def make_datasets(settings, store):
    """Endless training batches, and validation batches that stay the same."""

    def training_of(length):
        return PretrainingDataset(
            store,
            length,
            settings.compute_global_batch_size(distributed.devices()),
            seed=settings.seed,
            rank=distributed.rank(),
            size=distributed.size(),
            **masking(settings),
        )

    training = training_of(settings.max_seq_length)
    if settings.first_seq_length:
        first = training_of(settings.first_seq_length)
        training = StagedDataset(
            [(first, settings.first_seq_steps), (training, None)]
        )
    return training, make_validation(settings, store)


def make_validation(settings, store):
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
        **masking(settings),
    )


def masking(settings):
    """What training and validation rows have in common."""
    return dict(
        max_predictions=settings.max_predictions_per_seq,
        masked_lm_prob=settings.masked_lm_prob,
        short_sequence_prob=settings.short_seq_prob,
    )
