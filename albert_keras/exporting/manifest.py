"""The JSON file of an export: what a server needs to know of the model."""

import dataclasses
from pathlib import Path
from typing import Any

from albert_keras.conversion.huggingface_tokenizer import VOCABULARY_FILE
from albert_keras.conversion.pretrained_parts import read_json, write_json
from albert_keras.exporting.run_export import FILES
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.requests import TASKS
from albert_keras.version import __version__

MANIFEST_FILE = "export.json"
PRECISIONS = ("float32", "bfloat16", "int8")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Format, task and tokenizer of an export.

    Attributes:
        format: A key of `FILES`.
        precision: One of `PRECISIONS`.
        facts: The `ModelFacts`.
        tokenizer: Arguments of `AlbertTokenizer` other than the vocabulary.
        checked: Result of the comparison with the model.
    """

    format: str
    precision: str
    facts: ModelFacts
    tokenizer: dict[str, Any]
    checked: dict[str, Any] = dataclasses.field(default_factory=dict)

    def write(self, directory: str | Path) -> None:
        """Writes `export.json` to a directory."""
        facts = self.facts.to_dict()
        names = facts.pop("class_names") and self.facts.names_of_classes
        values = {
            "format": self.format,
            "precision": self.precision,
            "file": FILES[self.format],
            "task": TASKS[self.facts.model_class],
            **facts,
            "labels": dict(enumerate(names)) if names else None,
            "vocabulary": VOCABULARY_FILE,
            "tokenizer": self.tokenizer,
            "checked": self.checked,
            "albert_keras": __version__,
        }
        write_json(Path(directory) / MANIFEST_FILE, values)

    @classmethod
    def read(cls, directory: str | Path) -> "Manifest":
        """Reads `export.json` of a directory.

        Raises:
            ValueError: If it is missing or damaged; names the file.
        """
        path = Path(directory) / MANIFEST_FILE
        if not path.is_file():
            raise ValueError(
                f"{directory} is no export: it has no {MANIFEST_FILE}. Write "
                "one with recipes/export.py."
            )
        values = read_json(path)
        try:
            return cls(
                format=_one_of(values, "format", tuple(FILES)),
                precision=_one_of(values, "precision", PRECISIONS),
                facts=_facts(values),
                tokenizer=_tokenizer(values),
                checked=values.get("checked") or {},
            )
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is damaged: {error}. Export the model again."
            ) from error


def _one_of(values, name, known):
    if values.get(name) not in known:
        raise ValueError(
            f"{name!r} must be one of {known}, not {values.get(name)!r:.60}"
        )
    return values[name]


def _facts(values):
    _one_of(values, "model_class", tuple(TASKS))
    labels = values.get("labels")
    names = None
    if labels is not None:
        if not isinstance(labels, dict):
            raise ValueError(f"'labels' is {labels!r:.60}")
        names = [
            labels[str(number)] if str(number) in labels else None
            for number in range(len(labels))
        ]
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"'labels' is {labels!r:.60}")
    return ModelFacts.from_dict({**values, "class_names": names})


def _tokenizer(values):
    settings = values.get("tokenizer")
    kinds = {"lowercase": bool, "remove_accents": bool, "style": str}
    if not isinstance(settings, dict) or any(
        not isinstance(value, kinds.get(name, ()))
        for name, value in settings.items()
    ):
        raise ValueError(f"'tokenizer' is {settings!r:.60}")
    return settings
