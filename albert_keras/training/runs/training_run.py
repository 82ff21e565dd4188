"""A training run, from claiming its directory to exporting the model."""

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from albert_keras.files.atomic_write import atomic_files
from albert_keras.training import distributed
from albert_keras.training.callbacks import (
    EXIT_INTERRUPTED,
    BroadcastState,
    Checkpointing,
    OverlappingCallbacks,
    StopOnNonFinite,
    StopOnSignal,
    TrainingLog,
)
from albert_keras.training.runs.checkpoint import (
    checkpoint_data,
    checkpoint_settings,
    newest_checkpoint,
    remove_unfinished,
    restore_checkpoint,
)
from albert_keras.training.runs.log_lines import metric_line
from albert_keras.training.runs.run_directory import (
    RunDirectory,
    check_same_settings,
)
from albert_keras.training.runs.run_history import add_start
from albert_keras.training.runs.sagemaker_container import SageMakerContainer
from albert_keras.training.runs.same_data import check_same_data
from albert_keras.training.runs.weights_and_biases import start_wandb


class TrainingRun:
    """Runs `fit` with a run directory, checkpoints, logs and signals.

    Create it before anything is loaded, call `start` with the compiled model,
    then `fit`; all of it on every rank.

    Args:
        settings: A dataclass with `output_dir`, `checkpoint_dir`, `resume`,
            `log_frequency`, `checkpoint_frequency`, `keep_checkpoints`,
            `wandb_project` and the class attribute `MAY_CHANGE`, names that a
            resumed run may change.
        global_batch_size: Rows of an update over all ranks.

    Attributes:
        directory: The `RunDirectory`.
        first_step: Updates done before this `fit`; `start` sets it.

    Raises:
        ValueError: If the directory holds something else or another run.
    """

    def __init__(self, settings: Any, global_batch_size: int) -> None:
        self.settings = settings
        self.global_batch_size = global_batch_size
        # Through JSON, so that tuples compare equal to the lists read back.
        self.record = json.loads(json.dumps(dataclasses.asdict(settings)))
        self.directory = RunDirectory(
            settings.output_dir, settings.checkpoint_dir
        )
        self.data: dict[str, Any] = {}
        self._container = SageMakerContainer()
        self.first_step = 0
        distributed.on_first_rank(self._check_directory)

    def _check_directory(self):
        self.directory.check_unused()
        self.directory.check(
            self.record, self.settings.resume, self.settings.MAY_CHANGE
        )

    def start(
        self,
        model: Any,
        load: Callable[[], int] | None = None,
        describe_data: Callable[[], dict[str, Any]] | None = None,
        check: Callable[[Path], None] | None = None,
    ) -> int:
        """Claims the directory and restores its newest checkpoint.

        Only the first rank does so; `BroadcastState` updates the others. The
        directory is locked until `fit` ends.

        Args:
            model: The compiled model.
            load: Called if there is no checkpoint; may load other weights
                and returns the number of updates behind them.
            describe_data: Returns descriptions of the run's data, which its
                checkpoints record, see `check_same_data`.
            check: Called with the checkpoint before it is restored; raises if
                the run cannot continue from it.

        Returns:
            The number of updates done.

        Raises:
            ValueError: If another process writes to the directory, or the
                checkpoint is of another run or of other data.
        """

        def claim_and_restore():
            self.directory.lock()
            try:
                self._check_directory()  # another process may have been quicker
                remove_unfinished(self.directory.checkpoints)
                if describe_data is not None:
                    self.data = describe_data()
                step = self._restore(model, load or (lambda: 0), check)
                self.directory.write_settings(self.record)
                add_start(self.directory.path, step)
            except BaseException:
                self.directory.unlock()
                raise
            return step

        self.first_step = distributed.on_first_rank(claim_and_restore)
        return self.first_step

    def _restore(self, model, load, check):
        newest = newest_checkpoint(self.directory.checkpoints)
        if newest is None:
            return load()
        if not self.settings.resume:
            raise ValueError(
                f"{self.directory.checkpoints} already holds checkpoints. "
                "Pass `resume=True` to continue from the newest, or another "
                "`checkpoint_dir`."
            )
        check_same_settings(
            newest,
            checkpoint_settings(newest),
            self._checkpoint_record(),
            self.settings.MAY_CHANGE,
        )
        if check is not None:
            check(newest)
        check_same_data(newest, checkpoint_data(newest), self.data)
        return restore_checkpoint(newest, model)

    def _checkpoint_record(self):
        """The settings in a checkpoint, with the global batch size.

        A resumed run may split the same global batch differently.
        """
        return {**self.record, "global_batch": self.global_batch_size}

    def fit(
        self,
        model: Any,
        training: Any,
        total_steps: int,
        name: str,
        tokens_per_row: int,
        validations: Sequence[Any] = (),
        export: Callable[[Path], None] | None = None,
        callbacks: Sequence[Any] = (),
    ) -> None:
        """Trains until `total_steps`, or until a signal stops the run.

        Then the directory is unlocked.

        Args:
            model: The compiled model.
            training: Dataset for `model.fit` with an attribute `first_step`.
            total_steps: Updates of the whole run.
            name: Name of the run at Weights & Biases.
            tokens_per_row: Length of the rows, for the tokens per second.
            validations: See `TrainingLog`.
            export: `path -> None`, writes the model into a checkpoint.
            callbacks: Further Keras callbacks, called before those that log
                and save.

        Raises:
            SystemExit: With `EXIT_INTERRUPTED` after a signal, once all is
                saved.
        """
        try:
            self._fit(
                model,
                training,
                total_steps,
                self._make_on_row(name),
                tokens_per_row,
                validations,
                export,
                callbacks,
            )
        finally:
            self.directory.unlock()

    def _fit(
        self,
        model,
        training,
        total_steps,
        on_row,
        tokens_per_row,
        validations,
        export,
        callbacks,
    ):
        start = training.first_step = self.first_step
        stop = StopOnSignal(first_step=start)
        log = TrainingLog(
            self.directory.path,
            self.settings.log_frequency,
            self.global_batch_size * tokens_per_row,
            self.global_batch_size,
            validations,
            first_step=start,
            on_row=on_row,
            tensorboard=self._container.tensorboard
            if self._container.runs_a_job
            else None,
        )
        checkpoints = Checkpointing(
            self.directory.checkpoints,
            self.settings.checkpoint_frequency,
            first_step=start,
            export=export,
            keep=self.settings.keep_checkpoints,
            settings=self._checkpoint_record(),
            data=self.data,
        )
        if start < total_steps:
            model.fit(
                training,
                epochs=1,
                steps_per_epoch=total_steps - start,
                shuffle=False,
                callbacks=OverlappingCallbacks(
                    [
                        stop,
                        BroadcastState(),
                        StopOnNonFinite(first_step=start),
                        *callbacks,
                        log,
                        checkpoints,
                    ],
                    add_history=True,
                    add_progbar=self._shows_bar(),
                    model=model,
                    epochs=1,
                    steps=total_steps - start,
                    verbose=1,
                ),
            )
        else:
            distributed.say(
                f"Nothing left to do: the run has all of its {total_steps:,} "
                "updates."
            )
        distributed.barrier()  # the first rank may still be saving
        self._finish(stop, export)

    def _finish(self, stop, export):
        """Exits if a signal stopped the run, or exports the finished model."""
        if stop.stopped:
            reason = (
                f"Stopped by a signal after update {stop.step:,}. Start the "
                "run again with `resume` set to continue from there."
            )
            distributed.say(f"\n{reason}")
            self._container.report_failure(reason)
            raise SystemExit(EXIT_INTERRUPTED)
        if export is not None and distributed.rank() == 0:
            for directory in self.directory.model_directories():
                with atomic_files(directory) as temporary:
                    export(temporary)

    def _shows_bar(self):
        """Whether to show a progress bar; logs get lines instead.

        In a SageMaker job stdout is not watched, although `mpirun` gives its
        ranks a terminal.
        """
        watched = sys.stdout.isatty() and not self._container.runs_a_job
        return watched and distributed.rank() == 0

    def _make_on_row(self, name):
        """Makes a function that prints a row and logs it to W&B."""
        log_to_wandb = None
        if self.settings.wandb_project is not None and distributed.rank() == 0:
            log_to_wandb = start_wandb(
                self.settings.wandb_project, name, self.record
            )

        def on_row(step, metrics):
            if not self._shows_bar():
                distributed.say(metric_line(step, metrics))
            if log_to_wandb is not None:
                log_to_wandb(step, metrics)

        return on_row
