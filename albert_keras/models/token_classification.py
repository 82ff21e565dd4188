"""ALBERT for classifying every token."""

import keras

from albert_keras.losses import classification
from albert_keras.models.inputs import select_inputs
from albert_keras.models.sequence_classification import (
    check_num_classes,
    checked_class_names,
)
from albert_keras.models.task import AlbertTask
from albert_keras.models.texts.tagging import tag


@keras.saving.register_keras_serializable("albert_keras")
class AlbertForTokenClassification(AlbertTask):
    """Predicts a class for each token.

    Args:
        backbone: An `AlbertBackbone`.
        num_classes: Number of classes.
        dropout: Dropout rate of the encoder's output.
        class_names: Name of each class, saved with the model; or None.

    Call arguments:
        inputs: The backbone's inputs.

    Returns:
        `{"logits": (B, T, num_classes)}`.

    Labels for `fit`: class ids `(B, T)`. Special tokens and padding have the
    label -100, or sample weights `(B, T)` of 0. Weights `(B,)` are those of
    the rows.

    Raises:
        ValueError: If `num_classes` is not a positive integer, or the names
            are not `num_classes` different ones.
    """

    objectives = (classification(target_rank=2),)
    arguments = ("num_classes", "dropout", "class_names")

    def __init__(
        self, backbone, num_classes, dropout=0.1, class_names=None, **kwargs
    ):
        check_num_classes(num_classes)
        super().__init__(
            backbone,
            num_classes=num_classes,
            dropout=dropout,
            class_names=checked_class_names(class_names, num_classes),
            **kwargs,
        )

    def add_heads(self, config):
        self.classifier = self.make_head("classifier", self.num_classes)

    def call(self, inputs, training=False):
        inputs = select_inputs(self, inputs)
        x = self.backbone(inputs, training=training)["sequence_output"]
        return {"logits": self.classifier(x, training=training)}

    def tag(self, texts, batch_size=32):
        """Finds the entities in plain texts, by the names of the classes.

        Uses the tokenizer of the model's preprocessor. A text is split into
        words at spaces and punctuation; each has the class of its first token,
        as in fine-tuning. The class names show the scheme that turns words
        into entities, such as IOB2 or BILOU; without a scheme, as for parts of
        speech, every word whose class is not "O" is one. Long texts are split
        into overlapping windows.

        Args:
            texts: A string, or a list, an array or a Series of strings.
            batch_size: Maximum number of windows in a batch.

        Returns:
            For one string a list of dictionaries, otherwise a list of lists:
            `label`, the entity's type; `text`; `start` and `end` in
            characters; and `score`, the mean probability of its words' tags.

        Raises:
            ValueError: If the model has no tokenizer, or a text is None, NaN,
                blank or no string; names its row.

        Example:

        ```python
        model = ak.load_model("runs/conll/best")
        model.tag("Ada Lovelace lived in London.")
        # [{"label": "PER", "text": "Ada Lovelace", "start": 0, "end": 12,
        #   "score": 0.99}, {"label": "LOC", "text": "London", ...}]
        ```
        """
        return tag(self, texts, batch_size)
