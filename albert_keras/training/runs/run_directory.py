"""The output directory of a run."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from albert_keras.files.atomic_write import atomic_file
from albert_keras.files.run_layout import CHECKPOINTS, MODEL, SETTINGS_FILE
from albert_keras.files.strict_json import parse_json
from albert_keras.training.runs.sagemaker_container import SageMakerContainer


class RunDirectory:
    """A directory that holds one run: settings, metrics, checkpoints.

    Args:
        path: The directory; it need not exist.
        checkpoints: Where the checkpoints are; None is `/opt/ml/checkpoints`
            where that exists, since Amazon SageMaker keeps what is there
            when it takes a spot instance back; else `checkpoints` in the
            directory.
    """

    def __init__(
        self, path: str | Path, checkpoints: str | Path | None = None
    ) -> None:
        self.path = Path(path)
        kept = SageMakerContainer().checkpoints
        if checkpoints is None and kept.is_dir():
            checkpoints = kept
        self.checkpoints = Path(checkpoints or self.path / CHECKPOINTS)
        self.settings_path = self.path / SETTINGS_FILE

    def places_for_the_model(self) -> list[Path]:
        """Directories that the finished model goes to, beside its checkpoint.

        A run whose checkpoints are elsewhere gets the model into `model`, and
        what a SageMaker job is to keep is in `/opt/ml/model`.
        """
        places = []
        if self.path not in self.checkpoints.parents:
            places.append(self.path / MODEL)
        container = SageMakerContainer()
        if container.runs_a_job:
            places.append(container.model)
        return places

    def check(
        self,
        settings: dict[str, Any],
        resume: bool,
        may_change: Collection[str] = (),
    ) -> None:
        """Raises unless the directory is free, or holds this run to resume.

        Args:
            settings: Dictionary of the run's settings.
            resume: Whether a run in the directory is to be gone on with.
            may_change: Names of settings that a resumed run may change.

        Raises:
            ValueError: If something else is there, or another run, or this
                one but `resume` is not set.
        """
        if self.path.is_file():
            raise ValueError(f"{self.path} is a file. Pass a directory.")
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        if not self.settings_path.is_file():
            raise ValueError(
                f"{self.path} holds something other than a run. Pass a new "
                "--output_dir."
            )
        if not resume:
            raise ValueError(
                f"{self.path} already holds a run. Pass --resume to go on "
                "with it, or a new --output_dir."
            )
        check_same_settings(
            self.path, self.read_settings(), settings, may_change
        )

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Records the settings, which claims the directory.

        One `name: value` a line, values as JSON, which is YAML: the file
        starts the same run again with `--config`.
        """
        with atomic_file(self.settings_path, encoding="utf-8") as file:
            for name, value in settings.items():
                file.write(f"{name}: {json.dumps(value)}\n")

    def read_settings(self) -> dict[str, Any]:
        """What `write_settings` recorded.

        Raises:
            ValueError: If the file is damaged.
        """
        try:
            text = self.settings_path.read_text(encoding="utf-8")
            pairs = (line.split(": ", 1) for line in text.splitlines())
            return {name: parse_json(value) for name, value in pairs}
        except ValueError as error:
            raise ValueError(
                f"{self.settings_path} is damaged: {error}. Start a new run."
            ) from error


def check_same_settings(
    source: str | Path,
    earlier: dict[str, Any],
    now: dict[str, Any],
    may_change: Collection[str] = (),
) -> None:
    """Raises where a run's settings are not those that it was started with.

    Args:
        source: Where the earlier settings were read, for the message.
        earlier, now: Dictionaries of settings. What only one of them knows
            is not compared.
        may_change: Names that may differ.
    """
    changed = [
        f"{name}: {earlier[name]!r} then, {value!r} now"
        for name, value in now.items()
        if name not in may_change and name in earlier and earlier[name] != value
    ]
    if changed:
        raise ValueError(
            f"{source} was started with other settings: "
            f"{'; '.join(changed)}. Resume with the same, or start a new run."
        )
