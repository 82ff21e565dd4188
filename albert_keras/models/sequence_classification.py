"""ALBERT for classifying sequences, or regression on them."""

import keras

from albert_keras.losses import (
    classification,
    multi_label_classification,
    regression,
)
from albert_keras.models.inputs import select_inputs
from albert_keras.models.task import AlbertTask
from albert_keras.models.texts.classifying import classify
from albert_keras.problems import (
    MULTI_LABEL,
    REGRESSION,
    SINGLE_LABEL,
    check_problem,
    default_problem,
)
from albert_keras.tokenization.text_list import text_list

_OBJECTIVES = {
    SINGLE_LABEL: classification,
    MULTI_LABEL: multi_label_classification,
    REGRESSION: regression,
}


@keras.saving.register_keras_serializable("albert_keras")
class AlbertForSequenceClassification(AlbertTask):
    """Predicts a class, several classes or a number for each sequence.

    Args:
        backbone: An `AlbertBackbone`.
        num_classes: Number of classes; 1 for regression.
        dropout: Dropout rate of the pooled output (paper, table 14: 0.1).
        class_names: Name of each class, saved with the model; or None.
        problem: "single_label", a class for each sequence; "multi_label", any
            number of classes; or "regression". None is regression for
            `num_classes=1`, else "single_label".
        thresholds: For "multi_label", the probability of each class above
            which it is predicted (see `decode_logits`), saved with the model;
            None is 0.5. Training and its metrics do not use them.

    Call arguments:
        inputs: The backbone's inputs.

    Returns:
        `{"logits": (B, num_classes)}`.

    Labels for `fit`: class ids `(B,)`; for "multi_label" 0 or 1 for each class
    `(B, num_classes)`, NaN or -100 where unknown; for regression numbers
    `(B,)`.

    Raises:
        ValueError: If `num_classes` is not a positive integer, the names
            are not `num_classes` different ones, or problem, number of classes
            and thresholds do not match.
    """

    arguments = (
        "num_classes",
        "dropout",
        "class_names",
        "problem",
        "thresholds",
    )

    def __init__(
        self,
        backbone,
        num_classes=2,
        dropout=0.1,
        class_names=None,
        problem=None,
        thresholds=None,
        **kwargs,
    ):
        check_num_classes(num_classes)
        check_problem(problem, num_classes, thresholds)
        if thresholds is not None:
            thresholds = tuple(map(float, thresholds))
        super().__init__(
            backbone,
            num_classes=num_classes,
            dropout=dropout,
            class_names=checked_class_names(class_names, num_classes),
            problem=problem or default_problem(num_classes),
            thresholds=thresholds,
            **kwargs,
        )

    @property
    def objectives(self):
        return (_OBJECTIVES[self.problem](),)

    def add_heads(self, config):
        self.classifier = self.make_head("classifier", self.num_classes)

    def call(self, inputs, training=False):
        inputs = select_inputs(self, inputs)
        encoded = self.backbone(inputs, training=training)
        pooled = encoded["pooled_output"]  # (B, H)
        return {"logits": self.classifier(pooled, training=training)}

    def classify(self, texts, pairs=None, batch_size=32):
        """Classifies texts, with the tokenizer of the model's preprocessor.

        Texts of similar lengths are batched together where padding takes
        time: not on a CPU with TensorFlow, whose kernels leave it out. There,
        and for one batch, the logits have the bits of `predict`. A text that
        is too long is truncated, and a warning says so.

        Args:
            texts: A string, or a list, an array or a Series of strings; pairs
                as for `AlbertPreprocessor`.
            pairs: Second texts, one for each; or None.
            batch_size: Maximum number of rows in a batch.

        Returns:
            For one string a dictionary, otherwise a list of them: `label`,
            the name of the most likely class (its number if the model has no
            `class_names`); `probability`; and `probabilities`, those of all
            classes by name. For "multi_label", `label` is the list of all
            classes above their thresholds, and `probability` the list of
            their probabilities. For regression, `value` alone.

        Raises:
            ValueError: If the model has no tokenizer, or a text is None, NaN,
                blank or no string; names its row.

        Example:

        ```python
        model = ak.load_model("runs/reviews/best")
        model.classify(["A masterpiece.", "Two hours of my life."])
        # [{"label": "positive", "probability": 0.98, ...}, ...]
        ```
        """
        return classify(self, texts, pairs, batch_size)


def check_num_classes(num_classes):
    """Raises a `ValueError` unless it is a positive integer."""
    if isinstance(num_classes, bool) or not (
        isinstance(num_classes, int) and num_classes > 0
    ):
        raise ValueError(
            "`num_classes` must be a positive integer. Received: "
            f"{num_classes!r}."
        )


def checked_class_names(class_names, num_classes):
    """Returns the names as a tuple, or None if there are none.

    Raises:
        ValueError: If they are not `num_classes` different names.
    """
    if class_names is None:
        return None
    names = tuple(text_list(class_names, "class_names"))
    if len(set(names)) != num_classes or len(names) != num_classes:
        raise ValueError(
            f"`class_names` must be {num_classes} different names, one for "
            f"each class. Received: {class_names!r}."
        )
    return names
