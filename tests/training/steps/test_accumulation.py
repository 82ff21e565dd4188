"""A training step is one update, however the batch is split."""

import dataclasses

import keras
import numpy as np
import pytest

from albert_keras import AlbertBackbone, AlbertForPretraining
from albert_keras.optimizers import Lamb, WarmupPolynomialDecay
from tests.batches import Batches, make_batch
from tests.marks import others_slow

pytestmark = pytest.mark.heavy


def compiled(config, steps, dtype=None, **kwargs):
    keras.utils.set_random_seed(1)
    backbone = AlbertBackbone.from_albert_config(config, dtype=dtype)
    model = AlbertForPretraining(backbone)
    optimizer = Lamb(WarmupPolynomialDecay(0.02, 1, 100), global_clipnorm=1.0)
    model.compile(optimizer, gradient_accumulation_steps=steps, **kwargs)
    return model


def three_updates(config, batches, steps, **kwargs):
    model = compiled(config, steps, **kwargs)
    model.fit(Batches(batches), shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 3
    return model.get_weights()


@pytest.mark.parametrize("steps", others_slow([4, 2, 8]))
def test_every_split_of_a_batch_gives_the_same_weights(tiny_config, rng, steps):
    batches = [make_batch(rng, tiny_config) for _ in range(3)]
    masked = np.concatenate([w["mlm"].sum(axis=1) for _, _, w in batches])
    assert len(set(masked)) > 2  # else any normalization would pass
    undivided = three_updates(tiny_config, batches, 1, run_eagerly=True)
    start = compiled(tiny_config, 1).get_weights()
    moved = max(
        np.abs(a - b).max() for a, b in zip(undivided, start, strict=True)
    )
    assert moved > 1e-3
    # One of them in a graph, whose loop is another than the eager one.
    split = three_updates(tiny_config, batches, steps, run_eagerly=steps != 4)
    for mine, theirs in zip(split, undivided, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "how",
    ["run_eagerly", pytest.param("jit_compile", marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_the_step_is_the_same_eagerly_in_a_graph_and_under_xla(
    tiny_config, rng, how
):
    batches = [make_batch(rng, tiny_config) for _ in range(3)]
    graph = three_updates(tiny_config, batches, steps=2, jit_compile=False)
    other = three_updates(tiny_config, batches, steps=2, **{how: True})
    for mine, theirs in zip(graph, other, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)


def test_metrics_are_means_over_the_targets_of_the_whole_batch(
    tiny_config, rng
):
    batch = make_batch(rng, tiny_config)
    inputs, labels, weights = batch
    model = compiled(tiny_config, steps=4, run_eagerly=True)
    outputs = {k: np.array(v) for k, v in model(inputs).items()}
    logs = model.fit(Batches([batch]), verbose=0).history

    def losses_and_hits(logits, labels):
        shifted = logits - logits.max(-1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        picked = np.take_along_axis(log_p, labels[..., None], -1)[..., 0]
        return -picked, logits.argmax(-1) == labels

    mlm, mlm_hits = losses_and_hits(outputs["mlm_logits"], labels["mlm"])
    sop, sop_hits = losses_and_hits(outputs["sop_logits"], labels["sop"])
    w = weights["mlm"]
    expected = {
        "mlm_loss": (mlm * w).sum() / w.sum(),
        "mlm_accuracy": (mlm_hits * w).sum() / w.sum(),
        "sop_loss": sop.mean(),
        "sop_accuracy": sop_hits.mean(),
        "learning_rate": 0.0,
    }
    expected["loss"] = expected["mlm_loss"] + expected["sop_loss"]
    for name, value in expected.items():
        assert logs[name][0] == pytest.approx(value, rel=1e-5), name
    assert set(logs) == {*expected, "gradient_norm", "weight_norm"}

    # The learning rate is 0, so evaluation sees the same weights.
    evaluated = model.evaluate(Batches([batch]), verbose=0, return_dict=True)
    for name in evaluated:
        assert float(evaluated[name]) == pytest.approx(
            expected[name], rel=1e-5
        ), name


def test_gradient_and_weight_norm_are_those_of_the_undivided_batch(
    tiny_config, rng
):
    import tensorflow as tf

    inputs, labels, weights = batch = make_batch(rng, tiny_config)
    model = compiled(tiny_config, steps=4, run_eagerly=True)
    start = [tf.identity(v.value) for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        outputs = model(inputs)
        mlm = keras.ops.sparse_categorical_crossentropy(
            labels["mlm"], outputs["mlm_logits"], from_logits=True
        )
        sop = keras.ops.sparse_categorical_crossentropy(
            labels["sop"], outputs["sop_logits"], from_logits=True
        )
        w = weights["mlm"]
        loss = tf.reduce_sum(mlm * w) / w.sum() + tf.reduce_mean(sop)
    gradients = tape.gradient(
        loss, [v.value for v in model.trainable_variables]
    )
    logs = model.fit(Batches([batch]), verbose=0).history
    assert logs["gradient_norm"][0] == pytest.approx(
        float(tf.linalg.global_norm(gradients)), rel=1e-5
    )
    assert logs["weight_norm"][0] == pytest.approx(
        float(tf.linalg.global_norm(start)), rel=1e-5
    )


def test_mixed_float16_scales_the_loss_and_reports_the_true_norm(
    tiny_config, rng
):
    batches = [make_batch(rng, tiny_config)]
    full, half = (
        compiled(tiny_config, steps=2, dtype=dtype, run_eagerly=True)
        for dtype in (None, "mixed_float16")
    )
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    half.optimizer.initial_scale = 256.0
    norms = [
        model.fit(Batches(batches), verbose=0).history["gradient_norm"][0]
        for model in (full, half)
    ]
    assert norms[1] == pytest.approx(norms[0], rel=0.05)


@pytest.mark.slow
def test_dropout_differs_from_one_micro_batch_to_the_next(tiny_config, rng):
    config = dataclasses.replace(tiny_config, hidden_dropout=0.5)
    inputs, labels, weights = make_batch(rng, config, rows=1)

    def repeat(values):
        return {k: np.repeat(v, 8, axis=0) for k, v in values.items()}

    batch = repeat(inputs), repeat(labels), repeat(weights)
    model = compiled(config, steps=8)
    states = [v for v in model.variables if "seed" in v.path]
    before = [int(v[1]) for v in states]
    model.fit(Batches([batch]), verbose=0)
    drawn = [int(v[1]) - b for v, b in zip(states, before, strict=True)]
    assert max(drawn) >= 8


@pytest.mark.slow
def test_a_batch_that_cannot_be_cut_evenly_is_padded(tiny_config, rng):
    batches = [make_batch(rng, tiny_config, rows=6) for _ in range(3)]
    undivided = three_updates(tiny_config, batches, 1, run_eagerly=True)
    padded = three_updates(tiny_config, batches, steps=4)
    for mine, theirs in zip(padded, undivided, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)


def test_missing_labels_are_named(tiny_config, rng):
    inputs, labels, weights = make_batch(rng, tiny_config)
    del labels["sop"]
    model = compiled(tiny_config, steps=1, run_eagerly=True)
    with pytest.raises(ValueError, match=r"'sop' are missing.*\['mlm'\]"):
        model.train_step((inputs, labels, weights))


def test_the_logs_of_an_epoch_have_the_last_update_beside_a_validation(
    tiny_config, rng
):
    batches = [make_batch(rng, tiny_config) for _ in range(2)]
    model = compiled(tiny_config, steps=1, run_eagerly=True)
    history = model.fit(
        Batches(batches),
        validation_data=Batches(batches),
        shuffle=False,
        verbose=0,
    ).history
    rate = model.optimizer.learning_rate
    before = WarmupPolynomialDecay(0.02, 1, 100)
    assert history["learning_rate"] == [pytest.approx(float(before(1)))]
    assert float(rate) == pytest.approx(float(before(2)))
    assert history["gradient_norm"][0] > 0 and history["weight_norm"][0] > 0


def test_compile_refuses_what_would_train_something_else(pretraining_model):
    with pytest.raises(ValueError, match="positive integer. Received: 0"):
        pretraining_model.compile("adam", gradient_accumulation_steps=0)
    with pytest.raises(ValueError, match="`gradient_compression` must.*'int8'"):
        pretraining_model.compile("adam", gradient_compression="int8")
    with pytest.raises(ValueError, match="dictionary by objective"):
        pretraining_model.compile("adam", loss="mse")
    with pytest.raises(ValueError, match="not to the optimizer"):
        pretraining_model.compile(Lamb(gradient_accumulation_steps=2))


@pytest.mark.slow
def test_a_constant_number_of_operations_whatever_the_accumulation(
    tiny_config, rng
):
    import tensorflow as tf

    sizes = []
    for steps in (2, 8):
        model = compiled(tiny_config, steps=steps)
        batch = tf.nest.map_structure(tf.constant, make_batch(rng, tiny_config))
        graph = tf.function(model.train_step).get_concrete_function(batch).graph
        sizes.append(len(graph.as_graph_def().SerializeToString()))
    assert sizes[1] < 1.01 * sizes[0]
