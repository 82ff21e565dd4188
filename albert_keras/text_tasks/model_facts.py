"""The facts about a model that its predictions depend on, next to outputs."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from albert_keras.problems import check_problem, default_problem


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """Properties of a model for encoding texts and decoding outputs.

    Attributes:
        model_class: Name of the model's class.
        sequence_length: Maximum number of tokens in a row.
        num_classes, class_names, problem, thresholds: Those of classifiers of
            sequences and tokens, see `AlbertForSequenceClassification`.
        answerability_head: Whether a model for question answering has one.
        no_answer: Whether questions may have no answer.
    """

    model_class: str
    sequence_length: int
    num_classes: int = 0
    class_names: tuple[str, ...] | None = None
    problem: str | None = None
    thresholds: tuple[float, ...] | None = None
    answerability_head: bool = False
    no_answer: bool = False

    @classmethod
    def of(cls, model: Any) -> "ModelFacts":
        """The facts about a Keras model with a preprocessor."""
        found = {
            field.name: getattr(model, field.name)
            for field in dataclasses.fields(cls)
            if getattr(model, field.name, None) is not None
        }
        head = found.get("answerability_head", False)
        return cls(
            **{
                **found,
                "model_class": type(model).__name__,
                "sequence_length": model.preprocessor.sequence_length,
                "no_answer": head or model.card.get("task") == "SQuAD 2.0",
            }
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelFacts":
        """Reads the facts from a JSON object, and checks them.

        Raises:
            ValueError: If a value is missing or wrong.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        found = {k: v for k, v in values.items() if k in known}
        for name in ("class_names", "thresholds"):
            if isinstance(found.get(name), list):
                found[name] = tuple(found[name])
        for name, kind in _KINDS.items():
            value = found.get(name)
            if not isinstance(value, kind) or isinstance(value, bool) is not (
                kind is bool
            ):
                raise ValueError(f"{name!r} is {value!r:.60}")
        facts = cls(**found)
        if facts.num_classes:
            check_problem(facts.problem, facts.num_classes, facts.thresholds)
            names = facts.class_names
            if names is not None and len(names) != facts.num_classes:
                raise ValueError(f"'class_names' is {names!r:.60}")
        return facts

    def to_dict(self) -> dict[str, Any]:
        """The facts as a JSON object."""
        return dataclasses.asdict(self)

    @property
    def names_of_classes(self) -> tuple[str, ...]:
        """The names of the classes; their numbers if they have none."""
        return self.class_names or tuple(map(str, range(self.num_classes)))

    @property
    def problem_or_default(self) -> str:
        return self.problem or default_problem(self.num_classes)


_KINDS = {
    "model_class": str,
    "sequence_length": int,
    "num_classes": int,
    "answerability_head": bool,
    "no_answer": bool,
}
