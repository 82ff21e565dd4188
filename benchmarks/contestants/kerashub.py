"""KerasHub on TensorFlow: masked language model with Keras's own LAMB.

It has no sentence-order objective, so it computes slightly less.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_hub
import tensorflow as tf
from batches import inference_batches, pretraining_batch
from keras_policy import keras_policy


def make_backbone(options):
    return keras_hub.models.AlbertBackbone(
        vocabulary_size=30000,
        num_layers=options["num_layers"],
        num_heads=options["num_heads"],
        embedding_dim=128,
        hidden_dim=options["hidden_dim"],
        intermediate_dim=options["intermediate_dim"],
        dropout=0.0,
        max_sequence_length=512,
        dtype=keras_policy(options),
    )


def pretraining(options):
    model = keras_hub.models.AlbertMaskedLM(
        make_backbone(options), preprocessor=None
    )
    model.compile(
        optimizer=keras.optimizers.Lamb(
            1e-3, weight_decay=0.01, global_clipnorm=1.0
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()],
        jit_compile=options.get("xla", False),
    )
    batch = pretraining_batch(options)
    labels = batch.pop("mlm")
    del batch["sop"]
    data = tf.nest.map_structure(tf.constant, (batch, labels))
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, jit_compile=model.jit_compile)
    return lambda: float(step(data)["loss"])


def inference(options):
    backbone = make_backbone(options)
    span = keras.layers.Dense(2)
    batches = inference_batches(options)
    for batch in batches:
        batch["segment_ids"] = 0 * batch["token_ids"]

    @tf.function(reduce_retracing=True)
    def predict(batch):
        return span(backbone(batch, training=False)["sequence_output"])

    batches = [tf.nest.map_structure(tf.constant, b) for b in batches]
    return lambda: [predict(batch).numpy() for batch in batches]
