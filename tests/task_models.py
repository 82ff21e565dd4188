"""Every task model, with inputs and with its losses in NumPy."""

import dataclasses

import keras
import numpy as np

import albert_keras as ak

ROWS, LENGTH, SLOTS, CHOICES, CLASSES = 4, 5, 3, 2, 3
CONFIG = ak.AlbertConfig(
    vocabulary_size=50,
    num_layers=1,
    num_heads=2,
    embedding_dim=6,
    hidden_dim=8,
    intermediate_dim=12,
    max_sequence_length=16,
    initializer_range=0.3,
)


def make_backbone(tokenizer, seed):
    """A backbone of two layers for the vocabulary of a tokenizer."""
    keras.utils.set_random_seed(seed)
    config = dataclasses.replace(
        CONFIG,
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=2,
        max_sequence_length=48,
        initializer_range=0.5,
    )
    return ak.AlbertBackbone.from_config(config)


def make_inputs(rows=ROWS, more=(), choices=()):
    rng = np.random.default_rng(0)
    shape = (rows, *choices, LENGTH)
    inputs = {
        "token_ids": rng.integers(5, 50, shape).astype("int32"),
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": np.ones(shape, "int32"),
    }
    if "mask_positions" in more:
        positions = rng.integers(0, LENGTH, (rows, SLOTS))
        inputs["mask_positions"] = positions.astype("int32")
    return inputs


def softmax_loss(logits, labels):
    logits = logits - logits.max(-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(log_p, labels[..., None], -1)[..., 0]


def hits(logits, labels):
    return (logits.argmax(-1) == labels).astype(float)


def logit_loss(logits, labels):
    return np.log1p(np.exp(np.where(labels, -logits, logits)))


def spans(outputs, y):
    start, end = outputs["start_logits"], outputs["end_logits"]
    return (
        softmax_loss(start, y["start"]),
        softmax_loss(end, y["end"]),
        hits(start, y["start"]) * hits(end, y["end"]),
    )


# For each model: arguments of `make_inputs`, shape and number of classes of
# each label, and loss and hits of the targets by objective.
MODELS = {
    "regression": dict(
        make=lambda b: ak.AlbertForSequenceClassification(b, num_classes=1),
        labels={"label": ((ROWS,), None)},
        loss=lambda o, y: {
            "label": ((o["logits"][:, 0] - y["label"]) ** 2, None)
        },
    ),
    "sequences": dict(
        make=lambda b: ak.AlbertForSequenceClassification(b, CLASSES),
        labels={"label": ((ROWS,), CLASSES)},
        loss=lambda o, y: {
            "label": (
                softmax_loss(o["logits"], y["label"]),
                hits(o["logits"], y["label"]),
            )
        },
    ),
    "several": dict(
        make=lambda b: ak.AlbertForSequenceClassification(
            b, CLASSES, problem="multi_label"
        ),
        labels={"label": ((ROWS, CLASSES), 2)},
        loss=lambda o, y: {
            "label": (
                logit_loss(o["logits"], y["label"]),
                (o["logits"] > 0) == y["label"],
            )
        },
    ),
    "choices": dict(
        make=ak.AlbertForMultipleChoice,
        inputs=dict(choices=(CHOICES,)),
        labels={"label": ((ROWS,), CHOICES)},
        loss=lambda o, y: {
            "label": (
                softmax_loss(o["logits"], y["label"]),
                hits(o["logits"], y["label"]),
            )
        },
    ),
    "tokens": dict(
        make=lambda b: ak.AlbertForTokenClassification(b, CLASSES),
        labels={"label": ((ROWS, LENGTH), CLASSES)},
        loss=lambda o, y: {
            "label": (
                softmax_loss(o["logits"], y["label"]),
                hits(o["logits"], y["label"]),
            )
        },
    ),
    "masked": dict(
        make=ak.AlbertForMaskedLM,
        inputs=dict(more=("mask_positions",)),
        labels={"mlm": ((ROWS, SLOTS), 50)},
        loss=lambda o, y: {
            "mlm": (
                softmax_loss(o["mlm_logits"], y["mlm"]),
                hits(o["mlm_logits"], y["mlm"]),
            )
        },
    ),
    "pretraining": dict(
        make=ak.AlbertForPretraining,
        inputs=dict(more=("mask_positions",)),
        labels={"mlm": ((ROWS, SLOTS), 50), "sop": ((ROWS,), 2)},
        loss=lambda o, y: {
            key: (
                softmax_loss(o[f"{key}_logits"], y[key]),
                hits(o[f"{key}_logits"], y[key]),
            )
            for key in ("mlm", "sop")
        },
    ),
    "spans": dict(
        make=ak.AlbertForQuestionAnswering,
        labels={"start": ((ROWS,), LENGTH), "end": ((ROWS,), LENGTH)},
    ),
    "answerable": dict(
        make=lambda b: ak.AlbertForQuestionAnswering(b, True),
        labels={
            "start": ((ROWS,), LENGTH),
            "end": ((ROWS,), LENGTH),
            "answerable": ((ROWS,), 2),
        },
    ),
}


def make_model(kind, **compile_arguments):
    keras.utils.set_random_seed(0)
    backbone = ak.AlbertBackbone.from_config(CONFIG)
    model = MODELS[kind]["make"](backbone)
    model.compile("sgd", run_eagerly=True, **compile_arguments)
    return model


MADE = {}


def model_and_inputs(kind):
    """A model that is only evaluated, made once."""
    if kind not in MADE:
        inputs = make_inputs(**MODELS[kind].get("inputs", {}))
        MADE[kind] = make_model(kind), inputs
    return MADE[kind]
