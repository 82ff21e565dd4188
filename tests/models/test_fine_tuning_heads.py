"""The models for fine-tuning: outputs, training and saving."""

import keras
import numpy as np
import pytest

import albert_keras as ak
from tests.references.albert import dense, forward

pytestmark = pytest.mark.heavy

ROWS, LENGTH = 6, 8


@pytest.fixture
def backbone(tiny_config):
    return ak.AlbertBackbone.from_config(tiny_config)


def make_inputs(rng, shape=(ROWS, LENGTH)):
    mask = np.ones(shape, "int32")
    mask[..., -2:] = 0
    return {
        "token_ids": rng.integers(5, 50, shape, "int32"),
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": mask,
    }


def encoded(model, inputs):
    """Encoder outputs of the NumPy reference."""
    pretraining = ak.AlbertForPretraining(model.backbone)
    weights = pretraining.to_parts().weights
    masked = np.zeros((len(inputs["token_ids"]), 1), "int32")
    return forward(weights, model.config, {**inputs, "mask_positions": masked})


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_a_sequence_classifier_is_a_linear_layer_on_the_pooled_output(
    backbone, rng
):
    model = ak.AlbertForSequenceClassification(backbone, num_classes=3)
    inputs = make_inputs(rng)
    expected = dense(
        model.to_parts().weights,
        "classifier",
        encoded(model, inputs)["pooled_output"],
    )
    assert_close(model(inputs)["logits"], expected)


def test_a_token_classifier_and_a_span_head_look_at_every_token(backbone, rng):
    inputs = make_inputs(rng)
    model = ak.AlbertForTokenClassification(backbone, num_classes=4)
    sequence = encoded(model, inputs)["sequence_output"]
    sequence = sequence * inputs["padding_mask"][..., None]
    weights = model.to_parts().weights
    assert_close(
        model(inputs)["logits"], dense(weights, "classifier", sequence)
    )
    model = ak.AlbertForQuestionAnswering(backbone)
    logits = dense(model.to_parts().weights, "span_head", sequence)
    logits = np.where(inputs["padding_mask"][..., None], logits, -30000.0)
    assert_close(model(inputs)["start_logits"], logits[..., 0])
    assert_close(model(inputs)["end_logits"], logits[..., 1])


def test_multiple_choice_scores_each_choice_by_itself(backbone, rng):
    model = ak.AlbertForMultipleChoice(backbone)
    inputs = make_inputs(rng, (ROWS, 4, LENGTH))
    logits = np.array(model(inputs)["logits"])
    assert logits.shape == (ROWS, 4)
    for choice in range(4):
        alone = {name: array[:, choice] for name, array in inputs.items()}
        pooled = encoded(model, alone)["pooled_output"]
        score = dense(model.to_parts().weights, "classifier", pooled)
        assert_close(logits[:, choice], score[:, 0])


def tasks(backbone, inputs):
    """Yields each model with inputs, learnable labels and sample weights."""
    first = inputs["token_ids"][:, 1] % 2
    tokens = inputs["token_ids"] % 2
    yield (
        ak.AlbertForSequenceClassification(backbone, dropout=0.0),
        inputs,
        first,
        None,
    )
    yield (
        ak.AlbertForSequenceClassification(
            backbone, num_classes=1, dropout=0.0
        ),
        inputs,
        first.astype("float32"),
        None,
    )
    yield (
        ak.AlbertForTokenClassification(backbone, num_classes=2, dropout=0.0),
        inputs,
        tokens,
        inputs["padding_mask"].astype("float32"),
    )
    yield (
        ak.AlbertForQuestionAnswering(backbone),
        inputs,
        {"start": first + 1, "end": first + 2},
        None,
    )
    choices = {
        name: np.stack([array, array[::-1]], axis=1)
        for name, array in inputs.items()
    }
    yield (
        ak.AlbertForMultipleChoice(backbone, dropout=0.0),
        choices,
        (choices["token_ids"][:, 1, 0] > choices["token_ids"][:, 0, 0]) * 1,
        None,
    )


@pytest.mark.parametrize(
    "index",
    [0, *(pytest.param(i, marks=pytest.mark.slow) for i in (1, 2, 3, 4))],
)
def test_each_learns_saves_and_loads(index, backbone, rng, tmp_path):
    inputs = make_inputs(rng, (32, LENGTH))
    model, x, y, weights = list(tasks(backbone, inputs))[index]
    model.compile(
        keras.optimizers.Adam(0.01),
        gradient_accumulation_steps=2,
        run_eagerly=False,
    )
    history = model.fit(
        x, y, sample_weight=weights, batch_size=16, epochs=12, verbose=0
    ).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    model.save_pretrained(tmp_path / "pretrained")
    model.save(tmp_path / "model.keras")
    expected = model.predict(x, verbose=0)
    for again in (
        type(model).from_pretrained(tmp_path / "pretrained"),
        keras.saving.load_model(tmp_path / "model.keras"),
    ):
        predicted = again.predict(x, verbose=0)
        for name in expected:
            np.testing.assert_array_equal(predicted[name], expected[name])
        assert again.get_config().keys() == model.get_config().keys()


def test_the_span_loss_is_the_mean_of_start_and_end(backbone, rng):
    inputs = make_inputs(rng)
    model = ak.AlbertForQuestionAnswering(backbone)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    labels = {"start": np.ones(ROWS, int), "end": np.full(ROWS, 3)}
    results = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    outputs = model(inputs)
    expected = np.mean(
        [
            np.log(np.exp(logits).sum(-1)) - logits[:, position]
            for logits, position in (
                (np.array(outputs["start_logits"]), 1),
                (np.array(outputs["end_logits"]), 3),
            )
        ]
    )
    assert float(results["loss"]) == pytest.approx(float(expected), rel=1e-6)
    logs = model.fit(inputs, labels, verbose=0).history
    assert logs["loss"][0] == pytest.approx(float(expected), rel=1e-6)


def test_the_problem_and_its_thresholds_are_saved(backbone, tmp_path):
    model = ak.AlbertForSequenceClassification(
        backbone, 2, problem="multi_label", thresholds=[0.25, 0.5]
    )
    model.save_pretrained(tmp_path / "pretrained")
    model.save(tmp_path / "model.keras")
    for again in (
        ak.load_model(tmp_path / "pretrained"),
        keras.saving.load_model(tmp_path / "model.keras"),
    ):
        assert again.problem == "multi_label"
        assert again.thresholds == (0.25, 0.5)
    # Other classes or another problem have no use for them.
    for arguments, problem in (
        ({"num_classes": 3}, "single_label"),
        ({"problem": "single_label"}, "single_label"),
        ({"problem": "multi_label"}, "multi_label"),
    ):
        other = ak.AlbertForSequenceClassification.from_pretrained(
            tmp_path / "pretrained", **arguments
        )
        assert (other.problem, other.thresholds) == (problem, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"problem": "multilabel"}, "must be one of.*'multilabel'"),
        ({"problem": "regression"}, "num_classes=2"),
        ({"problem": "single_label", "num_classes": 1}, "num_classes=1"),
        ({"thresholds": (0.5, 0.5)}, "for `problem='multi_label'`"),
        (
            {"problem": "multi_label", "thresholds": (0.5,)},
            "2 numbers from 0 to 1",
        ),
        (
            {"problem": "multi_label", "thresholds": (0.5, float("nan"))},
            "2 numbers from 0 to 1.*nan",
        ),
    ],
)
def test_a_problem_that_does_not_fit_the_classes_is_refused(
    backbone, arguments, message
):
    with pytest.raises(ValueError, match=message):
        ak.AlbertForSequenceClassification(backbone, **arguments)


@pytest.mark.parametrize("num_classes", [0, -1, 2.0, True])
def test_a_number_of_classes_that_is_none_is_refused(backbone, num_classes):
    for model_class in (
        ak.AlbertForSequenceClassification,
        ak.AlbertForTokenClassification,
    ):
        with pytest.raises(ValueError, match="`num_classes` must be"):
            model_class(backbone, num_classes=num_classes)
