"""Inputs that are unknown, of another shape or out of range are refused.

Runs on any backend of Keras; tests/training/steps/test_targets_elsewhere.py
runs it on JAX.
"""

import re

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.kernels import value_ranges
from tests.marks import others_slow
from tests.task_models import (
    CONFIG,
    LENGTH,
    MODELS,
    ROWS,
    make_inputs,
    make_model,
    model_and_inputs,
)

pytestmark = pytest.mark.heavy

ON_TENSORFLOW = keras.config.backend() == "tensorflow"


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(0)
    return ak.AlbertBackbone.from_config(CONFIG)


def labels_of(kind):
    return {k: np.zeros(s, int) for k, (s, _) in MODELS[kind]["labels"].items()}


@pytest.mark.parametrize("kind", others_slow(MODELS))
def test_every_model_names_an_unknown_input_and_the_one_that_is_meant(kind):
    model, inputs = model_and_inputs(kind)
    inputs = {**inputs, "mask": inputs["padding_mask"]}
    name = type(model).__name__
    message = (
        f"{name} must be among .'token_ids', 'segment_ids', 'padding_mask'.*"
        "Received: 'mask'. Rename 'mask' to 'padding_mask'"
    )
    with pytest.raises(ValueError, match=message):
        model(inputs)
    with pytest.raises(ValueError, match=message):
        model.predict(inputs, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.train_on_batch(inputs, labels_of(kind))


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_every_way_into_a_model_refuses_unknown_inputs(run_eagerly):
    model = make_model("sequences")
    model.compile("sgd", run_eagerly=run_eagerly)
    inputs = {**make_inputs(), "input_word_ids": make_inputs()["token_ids"]}
    labels = np.zeros(ROWS, int)
    before = model.get_weights()
    for call in (
        lambda: model(inputs, training=True),
        lambda: model.predict(inputs, verbose=0),
        lambda: model.predict_on_batch(inputs),
        lambda: model.evaluate(inputs, labels, verbose=0),
        lambda: model.test_on_batch(inputs, labels),
        lambda: model.train_on_batch(inputs, labels),
        lambda: model.fit(inputs, labels, verbose=0),
        lambda: model.backbone.predict(inputs, verbose=0),
    ):
        with pytest.raises(ValueError, match="'input_word_ids' to 'token_"):
            call()
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_an_error_after_an_epoch_leaves_the_model_as_it_was_then():
    model = make_model("sequences")
    inputs, labels = make_inputs(), np.zeros(ROWS, int)
    before = model.get_weights()
    wrong = {**inputs, "mask": inputs["padding_mask"]}
    with pytest.raises(ValueError, match="'mask' to 'padding_mask'"):
        model.fit(inputs, labels, validation_data=(wrong, labels), verbose=0)
    after = model.get_weights()
    assert any((a != b).any() for a, b in zip(after, before, strict=True))
    with pytest.raises(ValueError, match="'mask' to 'padding_mask'"):
        model.predict(wrong, verbose=0)
    for mine, theirs in zip(model.get_weights(), after, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_symbolic_inputs_are_checked_as_well(backbone):
    def symbolic(*names, length=None):
        return {n: keras.Input((length,), dtype="int32") for n in names}

    model = ak.AlbertForTokenClassification(backbone, num_classes=2)
    for layer in (backbone, model):
        with pytest.raises(ValueError, match="'mask' to 'padding_mask'"):
            layer(symbolic("token_ids", "mask"))
        with pytest.raises(ValueError, match="needs the input 'token_ids'"):
            layer(symbolic("segment_ids"))
        with pytest.raises(ValueError, match="length 17"):
            layer(symbolic("token_ids", length=17))


@pytest.mark.parametrize(
    "name, remedy",
    [
        ("input_type_ids", "Rename 'input_type_ids' to 'segment_ids'"),
        ("attention_masks", "Rename 'attention_masks' to 'padding_mask'"),
        ("token_id", "Rename 'token_id' to 'token_ids'"),
        ("Padding_Mask", "Rename 'Padding_Mask' to 'padding_mask'"),
        ("position_ids", "Remove 'position_ids'"),
        ("weather", "Remove 'weather'"),
    ],
)
def test_the_remedy_is_another_name_or_none(backbone, name, remedy):
    inputs = make_inputs()
    with pytest.raises(ValueError, match=remedy):
        backbone({**inputs, name: inputs["token_ids"]})


def test_hugging_faces_names_are_those_of_the_same_inputs(backbone):
    inputs = make_inputs()
    inputs["padding_mask"][:, 3:] = 0
    names = ("input_ids", "token_type_ids", "attention_mask")
    theirs = dict(zip(names, inputs.values(), strict=True))
    for model in (backbone, ak.AlbertForQuestionAnswering(backbone)):
        expected = model(inputs)
        for name, value in model(theirs).items():
            np.testing.assert_array_equal(value, expected[name])
    symbolic = {n: keras.Input((None,), dtype="int32", name=n) for n in names}
    functional = keras.Model(symbolic, backbone(symbolic)["pooled_output"])
    np.testing.assert_array_equal(
        functional(theirs), backbone(inputs)["pooled_output"]
    )
    with pytest.raises(ValueError, match="each input once.*'attention_mask'"):
        backbone({**inputs, "attention_mask": inputs["padding_mask"]})


def test_inputs_of_one_head_are_unknown_to_another(backbone):
    positions = np.zeros((ROWS, 1), "int32")
    inputs = {**make_inputs(), "read_positions": positions}
    with pytest.raises(ValueError, match="to 'mask_positions'"):
        ak.AlbertForMaskedLM(backbone)({**inputs, "mask_positions": positions})
    with pytest.raises(ValueError, match="Received: 'read_positions'"):
        ak.AlbertForQuestionAnswering(backbone)(inputs)


def test_the_batch_of_a_model_serves_its_backbone(backbone):
    inputs = make_inputs()
    more = {
        "mask_positions": np.zeros((ROWS, 1), "int32"),
        "answer_mask": inputs["padding_mask"],
        "offsets": np.zeros((ROWS, LENGTH, 2), "int32"),
        "segment_ids": None,
    }
    np.testing.assert_array_equal(
        backbone({**inputs, **more})["pooled_output"],
        backbone(inputs)["pooled_output"],
    )


def test_a_missing_input_and_a_tensor_in_place_of_all_are_refused(backbone):
    inputs = make_inputs()
    with pytest.raises(ValueError, match="AlbertForMaskedLM needs .*'mask_po"):
        ak.AlbertForMaskedLM(backbone)(inputs)
    with pytest.raises(ValueError, match="needs the input 'token_ids'.*'segm"):
        backbone({"segment_ids": inputs["segment_ids"]})
    message = r"must be a dictionary.*a tensor of the shape \(4, 5\)"
    for model in (backbone, model_and_inputs("sequences")[0]):
        with pytest.raises(ValueError, match=message):
            model(inputs["token_ids"])
        with pytest.raises(ValueError, match="must be a dictionary"):
            model.predict(inputs["token_ids"], verbose=0)
        with pytest.raises(ValueError, match="must be a dictionary"):
            model([inputs["token_ids"], inputs["padding_mask"]])


ZEROS = {
    shape: np.zeros(shape, "int32")
    for shape in [(4,), (5,), (4, 0), (4, 1), (4, 4), (3, 5), (4, 5, 1)]
}


def refuses_shape(call, name, shape):
    inputs = {**make_inputs(), name: ZEROS[shape]}
    received = re.escape(f"{name} {shape}")
    with pytest.raises(ValueError, match=rf"\(B, T\).*Received: .*{received}"):
        call(inputs)


@pytest.mark.parametrize("shape", ZEROS)
@pytest.mark.parametrize("name", ["segment_ids", "padding_mask", "token_ids"])
def test_inputs_of_other_shapes_are_refused(backbone, name, shape):
    refuses_shape(backbone, name, shape)


def test_compiled_functions_refuse_other_shapes_as_well(backbone):
    predict = backbone.clone().predict_on_batch
    refuses_shape(predict, "segment_ids", (4, 4))
    refuses_shape(predict, "padding_mask", (4, 1))
    with pytest.raises(ValueError, match="unknown rank|padding_mask"):
        predict({**make_inputs(), "padding_mask": ZEROS[(4,)]})


def test_shapes_of_heads_are_checked_and_named(backbone):
    inputs = make_inputs()
    cases = [
        (ak.AlbertForMaskedLM, "mask_positions", (4,), r"\(B, P\)"),
        (ak.AlbertForMaskedLM, "mask_positions", (3, 2), r"\(B, P\)"),
        (ak.AlbertForQuestionAnswering, "answer_mask", (4, 4), r"\(B, T\)"),
        (ak.AlbertForMultipleChoice, "token_ids", (4, 5), r"\(B, C, T\)"),
    ]
    for model, name, shape, expected in cases:
        with pytest.raises(ValueError, match=rf"{name} {expected}.*Received"):
            model(backbone)({**inputs, name: np.zeros(shape, "int32")})


@pytest.mark.skipif(not ON_TENSORFLOW, reason="Only it has unknown shapes.")
def test_shapes_that_are_unknown_at_first_are_checked_when_it_runs(backbone):
    import tensorflow as tf

    names = ("token_ids", "padding_mask")
    function = tf.function(
        lambda *tensors: backbone(dict(zip(names, tensors, strict=True))),
        input_signature=[tf.TensorSpec((None, None), tf.int32)] * 2,
    )
    ids, ones = make_inputs()["token_ids"], np.ones((ROWS, LENGTH), "int32")
    assert function(ids, ones)["pooled_output"].shape == (ROWS, 8)
    for mask in (ones[:, :1], ones[:1]):
        with pytest.raises(tf.errors.InvalidArgumentError):
            function(ids, mask)


# === Values ===

# Inputs of the backbone and values out of range, in row 1.
OUT_OF_RANGE = [
    ("token_ids", CONFIG.vocabulary_size),
    ("token_ids", -1),
    ("segment_ids", CONFIG.num_segments),
    ("segment_ids", -1),
    ("padding_mask", 2),
    ("padding_mask", -10000),
    ("read_positions", LENGTH),
    ("read_positions", -1),
]


def backbone_inputs():
    return {**make_inputs(), "read_positions": np.ones((ROWS, 2), "int32")}


def with_value(inputs, name, value):
    changed = {k: array.copy() for k, array in inputs.items()}
    changed[name][1].flat[0] = value
    return changed


def message_of(name, value):
    name = name.replace("read_", "").replace("mask_positions", "positions")
    return f"Received: {name} from.*{value}"


@pytest.mark.parametrize("name, value", OUT_OF_RANGE)
def test_values_out_of_range_raise_an_error_that_names_them(
    backbone, name, value
):
    with pytest.raises(ValueError, match=message_of(name, value)):
        backbone(with_value(backbone_inputs(), name, value))


@pytest.mark.parametrize(
    "kind, name, value",
    [
        ("masked", "mask_positions", LENGTH),
        ("pretraining", "mask_positions", -1),
        ("answerable", "answer_mask", 2),
        ("choices", "segment_ids", 2),
        ("tokens", "token_ids", 50),
        ("sequences", "padding_mask", -1),
    ],
)
def test_every_model_refuses_values_out_of_range(kind, name, value):
    model, inputs = model_and_inputs(kind)
    if name == "answer_mask":
        inputs = {**inputs, name: inputs["padding_mask"]}
    wrong = with_value(inputs, name, value)
    for call in (model, model.predict_on_batch):  # it runs eagerly
        with pytest.raises(ValueError, match=message_of(name, value)):
            call(wrong)


@pytest.fixture(scope="module")
def compiled(backbone):
    """`predict_on_batch` of a backbone, compiled."""
    predict = backbone.clone().predict_on_batch
    predict(backbone_inputs())
    return predict


@pytest.fixture(scope="module")
def compiled_without_errors(backbone):
    """The same, as on a device that raises no errors."""
    predict = backbone.clone().predict_on_batch
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(value_ranges, "on_tensorflow_cpu", lambda: False)
        predict(backbone_inputs())
    return predict


@pytest.mark.skipif(not ON_TENSORFLOW, reason="Only it raises errors.")
@pytest.mark.parametrize("name, value", OUT_OF_RANGE)
def test_compiled_functions_of_tensorflow_raise_on_a_cpu(compiled, name, value):
    wrong = with_value(backbone_inputs(), name, value)
    with pytest.raises(Exception, match=message_of(name, rf"\[{value}\]")):
        compiled(wrong)


@pytest.mark.parametrize("name, value", OUT_OF_RANGE)
def test_elsewhere_compiled_functions_make_the_row_nan(
    compiled_without_errors, name, value
):
    inputs = backbone_inputs()
    inputs["padding_mask"][:, 0] = 0  # which positions out of range become
    outputs = compiled_without_errors(with_value(inputs, name, value))
    for key, expected in compiled_without_errors(inputs).items():
        assert np.isnan(outputs[key][1]).all(), key
        others = [0, 2, 3]
        np.testing.assert_allclose(
            outputs[key][others], expected[others], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("read", [[[8], [1], [1], [1]], [[0], [-1], [1], [1]]])
def test_the_backbone_reads_no_positions_of_other_rows(backbone, read):
    inputs = {**make_inputs(), "read_positions": np.array(read, "int32")}
    with pytest.raises(ValueError, match="between 0 and T - 1.*T=5"):
        backbone(inputs)


@pytest.mark.parametrize("positions", [[[5], [1], [1], [1]], [[-1]] * 4])
def test_the_head_takes_no_positions_of_other_rows(backbone, positions):
    model = ak.AlbertForMaskedLM(backbone)
    x = np.zeros((ROWS, LENGTH, CONFIG.hidden_dim), "float32")
    with pytest.raises(ValueError, match="between 0 and T - 1.*T=5"):
        model.mlm_head(x, np.array(positions), np.array(backbone.token_table))


@pytest.mark.skipif(not ON_TENSORFLOW, reason="XLA compiles all on JAX.")
def test_what_xla_compiles_makes_the_row_nan(backbone):
    import tensorflow as tf

    function = tf.function(
        lambda ids: backbone({"token_ids": ids})["pooled_output"],
        jit_compile=True,
    )
    ids = make_inputs()["token_ids"]
    expected = np.array(function(ids))
    ids[1, 2] = 50
    pooled = np.array(function(ids))
    assert np.isnan(pooled[1]).all()
    np.testing.assert_allclose(pooled[[0, 2, 3]], expected[[0, 2, 3]], 1e-5)


def test_training_on_values_out_of_range_changes_no_weight_or_is_nan():
    model = make_model("masked")
    model.compile("sgd", gradient_accumulation_steps=2)
    inputs = make_inputs(more=("mask_positions",))
    inputs["mask_positions"][3, 0] = LENGTH
    labels = np.zeros(inputs["mask_positions"].shape, int)
    before = model.get_weights()
    if ON_TENSORFLOW:
        with pytest.raises(Exception, match="between 0 and T - 1"):
            model.train_on_batch(inputs, labels)
        for mine, theirs in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    else:
        assert np.isnan(model.train_on_batch(inputs, labels)[0])
