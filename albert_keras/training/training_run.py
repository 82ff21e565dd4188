"""A run of a recipe, from claiming its directory to its end."""

import dataclasses
import json

from albert_keras.training import distributed
from albert_keras.training.callbacks import (
    EXIT_INTERRUPTED,
    BroadcastState,
    Checkpointing,
    StopOnNonFinite,
    StopOnSignal,
    TrainingLog,
)
from albert_keras.training.checkpoint import (
    checkpoint_settings,
    newest_checkpoint,
    remove_unfinished,
    restore_checkpoint,
)
from albert_keras.training.run_directory import (
    RunDirectory,
    check_same_settings,
)
from albert_keras.training.weights_and_biases import start_wandb


class TrainingRun:
    """What pretraining and fine-tuning have around `fit`.

    Make it before anything is loaded, `start` it with the compiled model, then
    `fit`. The same on every rank.

    Args:
        settings: A dataclass with `output_dir`, `checkpoint_dir`, `resume`,
            `log_frequency`, `checkpoint_frequency`, `keep_checkpoints`,
            `wandb_project` and the class attribute `MAY_CHANGE`, names that a
            resumed run may change.
        rows_per_update: Rows of an update on all ranks.

    Attributes:
        directory: The `RunDirectory`.
        first_step: Updates done before, once started.

    Raises:
        ValueError: If the directory is in use by something else, or by
            another run.
    """

    def __init__(self, settings, rows_per_update):
        self.settings = settings
        self.rows_per_update = rows_per_update
        # As JSON gives it back, tuples as lists, to compare when resuming.
        self.record = json.loads(json.dumps(dataclasses.asdict(settings)))
        self.directory = RunDirectory(
            settings.output_dir, settings.checkpoint_dir
        )
        self.first_step = 0
        distributed.on_first_rank(
            lambda: self.directory.check(
                self.record, settings.resume, settings.MAY_CHANGE
            )
        )

    def start(self, model, load=None):
        """Claims the directory and restores the newest checkpoint in it.

        On the first rank; `BroadcastState` gives the others what it has.

        Args:
            model: The compiled model.
            load: Called without a checkpoint, may put other values into the
                model and return the updates that they stand for.

        Returns:
            The updates done.

        Raises:
            ValueError: If the checkpoint is of another run.
        """

        def claim_and_restore():
            remove_unfinished(self.directory.checkpoints)
            step = self._restore(model, load or (lambda: 0))
            self.directory.write_settings(self.record)
            return step

        self.first_step = distributed.on_first_rank(claim_and_restore)
        return self.first_step

    def _restore(self, model, load):
        newest = newest_checkpoint(self.directory.checkpoints)
        if newest is None:
            return load()
        if not self.settings.resume:
            raise ValueError(
                f"{self.directory.checkpoints} already holds checkpoints. "
                "Pass --resume to go on from the newest, or another "
                "--checkpoint_dir."
            )
        check_same_settings(
            newest,
            checkpoint_settings(newest),
            self._checkpoint_record(),
            self.settings.MAY_CHANGE,
        )
        return restore_checkpoint(newest, model)

    def _checkpoint_record(self):
        """What a checkpoint tells of its run: the settings, and the rows of
        an update, which may be shared out otherwise on resuming."""
        return {**self.record, "global_batch": self.rows_per_update}

    def fit(
        self,
        model,
        training,
        total_steps,
        name,
        tokens_per_row,
        validations=(),
        export=None,
        callbacks=(),
    ):
        """Trains until `total_steps`, or until told to stop.

        Args:
            model, training: As for `fit`; the batches have `first_step`.
            total_steps: Updates in all.
            name: Of the run, for Weights & Biases.
            tokens_per_row: Length of the rows, for the speed in tokens.
            validations: See `TrainingLog`.
            export: `path -> None`, adds the model to a checkpoint.
            callbacks: More Keras callbacks; they come before those that log
                and save.

        Raises:
            SystemExit: With `EXIT_INTERRUPTED` after SIGTERM, all saved.
        """
        start = training.first_step = self.first_step
        stop = StopOnSignal(first_step=start)
        log = TrainingLog(
            self.directory.path,
            self.settings.log_frequency,
            self.rows_per_update * tokens_per_row,
            self.rows_per_update,
            validations,
            first_step=start,
            on_row=self._start_logging_elsewhere(name),
        )
        checkpoints = Checkpointing(
            self.directory.checkpoints,
            self.settings.checkpoint_frequency,
            first_step=start,
            export=export,
            keep=self.settings.keep_checkpoints,
            settings=self._checkpoint_record(),
        )
        if start < total_steps:
            model.fit(
                training,
                epochs=1,
                steps_per_epoch=total_steps - start,
                shuffle=False,
                verbose="auto" if distributed.rank() == 0 else 0,
                callbacks=[
                    stop,
                    BroadcastState(),
                    StopOnNonFinite(first_step=start),
                    *callbacks,
                    log,
                    checkpoints,
                ],
            )
        distributed.barrier()  # the first rank may be saving
        if stop.stopped:
            distributed.say(
                f"\nStopped by a signal after update {stop.step:,}. The same "
                "command with --resume goes on."
            )
            raise SystemExit(EXIT_INTERRUPTED)

    def _start_logging_elsewhere(self, name):
        """Where rows of metrics go beside CSV and TensorBoard, if anywhere."""
        if self.settings.wandb_project is None or distributed.rank() > 0:
            return None
        return start_wandb(self.settings.wandb_project, name, self.record)
