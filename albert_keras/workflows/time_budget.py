"""Plans the updates of a pretraining run that shall take some minutes."""

import dataclasses
import time

from albert_keras.data.corpus.token_store import TokenStore
from albert_keras.training import distributed
from albert_keras.training.runs.run_directory import RunDirectory
from albert_keras.workflows.pretraining_data import make_datasets
from albert_keras.workflows.pretraining_model import make_model
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)

WARM_UP = 3  # updates, the first of which compiles
MEASURED_SECONDS = 5


def plan_updates(
    settings: PretrainingSettings, store: TokenStore
) -> PretrainingSettings:
    """Replaces `minutes` by `total_steps`, if these are given.

    Trains a model for some seconds to measure its speed, and discards it.
    The speed of the validations counts, too. The settings that a run records
    have only the updates, so that they start the same run again; a run that
    resumes keeps those that were planned when it started.

    Args:
        settings: The settings; without `minutes` they stay as they are.
        store: The corpus.

    Returns:
        The settings, the same on every rank.
    """
    minutes = settings.minutes
    if minutes is None:
        return settings
    total = distributed.on_first_rank(lambda: _recorded_updates(settings))
    if total is None:
        seconds, validation = _measure(settings, store)
        update = seconds + validation / settings.validation_frequency
        total = distributed.on_first_rank(
            lambda: max(1, round(60 * minutes / update))
        )
        distributed.say(
            f"{1 / seconds:.3g} updates a second, and {validation:.2g} s for a "
            f"validation: {total:,} updates in {minutes:g} minutes."
        )
    return dataclasses.replace(settings, total_steps=total, minutes=None)


def _recorded_updates(settings):
    """The plan of the run in the output directory, or None without one."""
    directory = RunDirectory(settings.output_dir, settings.checkpoint_dir)
    if not directory.settings_path.is_file():
        return None
    return directory.read_settings().get("total_steps")


def _measure(settings, store):
    """Returns the seconds of an update and of a validation."""
    training, validation = make_datasets(settings, store)
    model = make_model(settings, store)

    def seconds_of(steps):
        training.first_step = 0
        start = time.perf_counter()
        model.fit(training, steps_per_epoch=steps, shuffle=False, verbose=0)
        return (time.perf_counter() - start) / steps

    distributed.say("Measuring the speed of this machine.")
    seconds_of(WARM_UP)
    estimate = seconds_of(1)
    steps = distributed.on_first_rank(lambda: int(MEASURED_SECONDS / estimate))
    seconds = seconds_of(min(max(steps, 1), 100))
    model.evaluate(validation, steps=1, verbose=0)  # compiles
    start = time.perf_counter()
    model.evaluate(validation, verbose=0)
    return seconds, time.perf_counter() - start
