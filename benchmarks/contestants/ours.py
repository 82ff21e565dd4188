"""This package, on TensorFlow."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from batches import ids_and_masks, pretraining_batch
from keras_policy import keras_policy

import albert_keras as ak
from albert_keras.data.tasks.example_batches import Examples
from albert_keras.evaluation.prediction import batches_of_this_rank


def pretraining(options):
    backbone = ak.AlbertBackbone.from_size(
        options["size"], dtype=keras_policy(options)
    )
    backbone.remat = options.get("remat", False)
    model = ak.AlbertForPretraining(backbone)
    model.compile(
        ak.optimizers.Lamb(1e-3, weight_decay=0.01, global_clipnorm=1.0)
    )
    batch = pretraining_batch(options)
    labels = {name: batch.pop(name) for name in ("mlm", "sop")}
    data = tf.nest.map_structure(tf.constant, (batch, labels))
    step = tf.function(model.train_step, jit_compile=model.jit_compile)
    return lambda: float(step(data)["loss"])


def inference(options):
    model = ak.AlbertForQuestionAnswering(
        ak.AlbertBackbone.from_size(
            options["size"], dtype=keras_policy(options)
        )
    )
    windows = Windows(options["lengths"])
    batches = batches_of_this_rank(windows, options["rows"])
    return lambda: [
        outputs["start_logits"] for _, _, outputs in batches.predict(model)
    ]


class Windows(Examples):
    """Examples of given lengths with random ids."""

    def __init__(self, lengths):
        self.lengths = np.array(lengths)
        self.sequence_length = max(lengths)

    def batch(self, indices, width):
        return ids_and_masks(self.lengths[indices], width), None


def products(options):
    """Computes only the large matrix products of an update, in TensorFlow."""
    hidden, inner = options["hidden_dim"], options["intermediate_dim"]
    rows = options["rows"] * options["length"]
    shapes = [
        (hidden, 3 * hidden),
        (hidden, hidden),
        (hidden, inner),
        (inner, hidden),
    ]

    def normal(*shape):
        return tf.cast(tf.random.normal(shape), options["precision"])

    operands = [
        (normal(rows, i), normal(i, o), normal(rows, o)) for i, o in shapes
    ]

    @tf.function
    def run(operands):
        results = []
        for x, w, dy in operands:
            results.append(tf.matmul(x, w))
            results.append(tf.matmul(dy, w, transpose_b=True))
            results.append(tf.matmul(x, dy, transpose_a=True))
        return results

    return lambda: run(operands)
