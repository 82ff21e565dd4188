"""Keras's methods take texts in place of ids, with the same results."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import albert_keras as ak
from tests.models.texts.conftest import PAIRS, TEXTS

pytestmark = pytest.mark.heavy

LABELS = np.array([0, 2, 1, 0, 1])


@pytest.fixture
def model(make):
    return make(ak.AlbertForSequenceClassification, 3)


@pytest.fixture
def own_model(make):
    """A model that the test may change."""
    return make(ak.AlbertForSequenceClassification, 3, fresh=True)


def assert_same(inputs, expected):
    assert set(inputs) == set(expected)
    for name, array in inputs.items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, object),
        pd.Series(TEXTS),
        pd.DataFrame({"text": TEXTS}),
        tf.constant(TEXTS),
    ],
    ids=lambda texts: type(texts).__name__,
)
def test_texts_become_their_ids(model, tokenizer, texts):
    assert_same(model.inputs_of(texts), tokenizer(TEXTS))


def test_texts_are_predicted_as_their_ids(model, tokenizer):
    expected = model.predict(tokenizer(TEXTS), verbose=0)["logits"]
    for found in (
        model.predict(TEXTS, verbose=0),
        model.predict_on_batch(TEXTS),
    ):
        np.testing.assert_array_equal(found["logits"], expected)


@pytest.mark.parametrize(
    "pairs",
    [
        (TEXTS, PAIRS),
        (np.array(TEXTS), pd.Series(PAIRS)),
        list(zip(TEXTS, PAIRS, strict=True)),
        tuple(zip(TEXTS, PAIRS, strict=True)),
        np.array([TEXTS, PAIRS]).T,
        pd.DataFrame({"a": TEXTS, "b": PAIRS}),
    ],
    ids=lambda pairs: type(pairs).__name__,
)
def test_pairs_become_their_ids(model, tokenizer, pairs):
    assert_same(model.inputs_of(pairs), tokenizer(TEXTS, PAIRS))


def test_long_texts_are_truncated_to_the_sequence_length(own_model, tokenizer):
    own_model.preprocessor = ak.AlbertPreprocessor(tokenizer, sequence_length=9)
    ids = tokenizer(TEXTS, PAIRS, sequence_length=9)
    assert_same(own_model.inputs_of((TEXTS, PAIRS)), ids)


@pytest.mark.heavy
def test_training_on_texts_is_training_on_their_ids(make, tokenizer):
    weights, losses = [], []
    validation = PAIRS, LABELS
    for x, other in (
        (TEXTS, PAIRS),
        (tokenizer(TEXTS), tokenizer(PAIRS)),
    ):
        model = make(ak.AlbertForSequenceClassification, 3, fresh=True)
        model.compile(keras.optimizers.SGD(0.5), run_eagerly=True)
        keras.utils.set_random_seed(0)
        history = model.fit(
            x,
            LABELS,
            batch_size=2,
            epochs=2,
            validation_data=(other, validation[1]),
            verbose=0,
        )
        losses.append(history.history)
        losses[-1]["on_batch"] = model.train_on_batch(x, LABELS.tolist())
        losses[-1]["evaluated"] = model.evaluate(other, LABELS, verbose=0)
        weights.append(model.get_weights())
    assert losses[0] == losses[1]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.heavy
@pytest.mark.slow
def test_datasets_of_strings_are_encoded_batch_by_batch(make, tokenizer):
    model = make(ak.AlbertForSequenceClassification, 3, fresh=True)
    model.compile("sgd", run_eagerly=True)
    texts = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(2)
    pairs = tf.data.Dataset.from_tensor_slices(((TEXTS, PAIRS), LABELS))
    for dataset, ids in (
        (texts, tokenizer(TEXTS)),
        (pairs.batch(2), tokenizer(TEXTS, PAIRS)),
        (texts.map(lambda x, y: x), tokenizer(TEXTS)),
    ):
        found = model.predict(dataset, verbose=0)["logits"]
        expected = model.predict(ids, verbose=0)["logits"]
        np.testing.assert_allclose(found, expected, atol=1e-6)
    expected = model.evaluate(tokenizer(TEXTS), LABELS, verbose=0)
    found = model.evaluate(texts, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    losses = model.fit(
        texts, epochs=2, shuffle=False, validation_data=texts, verbose=0
    )
    assert len(losses.history["val_loss"]) == 2


def test_ids_are_passed_on_as_they_are(model, tokenizer):
    ids = tokenizer(TEXTS)
    assert model.inputs_of(ids) is ids
    dataset = tf.data.Dataset.from_tensor_slices(ids).batch(2)
    assert model.inputs_of(dataset) is dataset
    assert model.inputs_of(None) is None


def test_the_backbone_takes_texts_as_well(make, tokenizer):
    backbone = make(ak.AlbertForSequenceClassification, fresh=True).backbone
    backbone.preprocessor = tokenizer
    assert_same(backbone.inputs_of(TEXTS), tokenizer(TEXTS))
    head = ak.AlbertForSequenceClassification(backbone)
    assert head.preprocessor is backbone.preprocessor
    head.preprocessor = None
    assert backbone.preprocessor is not None and head.preprocessor is None


def test_other_functions_may_be_the_preprocessor(own_model, tokenizer):
    own_model.preprocessor = lambda texts: tokenizer([t.upper() for t in texts])
    ids = tokenizer([text.upper() for text in TEXTS])
    assert_same(own_model.inputs_of(TEXTS), ids)
    with pytest.raises(ValueError, match="the class function. Set"):
        own_model.classify(TEXTS)


def test_answer_masks_and_mask_positions_are_added(make, tokenizer):
    asked = make(ak.AlbertForQuestionAnswering)
    inputs = asked.inputs_of((["Ba do", "Ga"], ["Le mi.", "Ko ru fe, ba"]))
    for row, context in enumerate(("Le mi.", "Ko ru fe, ba")):
        allowed = inputs["token_ids"][row][inputs["answer_mask"][row] == 1]
        (ids,) = tokenizer.encode([context])
        assert allowed.tolist() == [tokenizer.cls_id, *ids]
    masked = make(ak.AlbertForMaskedLM)
    inputs = masked.inputs_of(["Ba [MASK] le [MASK]", "[MASK] do"])
    found = np.take_along_axis(
        inputs["token_ids"], inputs["mask_positions"], axis=1
    )
    assert (found[0] == tokenizer.mask_id).all()
    assert found[1, 0] == tokenizer.mask_id


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ("Ba do", "`texts` must be a list of strings. Received: str 'Ba do'"),
        (["Ba", None], r"None \(NoneType\) in row 1"),
        (["Ba", float("nan"), "do"], r"nan \(float\) in row 1"),
        (["Ba", " ", ""], "' ', which is empty, in row 1.*1 more such"),
        (["Ba", 3], r"3 \(int\) in row 1"),
        ((["Ba", "do"], ["le"]), "Received: 2 texts, 1 pairs"),
        ([("Ba", "do"), ("le",)], "Received: .*'le',.* in row 1"),
        ((["Ba"], ["do"], ["le"]), "tuple of 3 columns"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(model, x, message):
    with pytest.raises(ValueError, match=message):
        model.predict(x, verbose=0)


def test_without_a_tokenizer_the_error_says_how_to_set_it(make):
    model = make(ak.AlbertForSequenceClassification, with_tokenizer=False)
    for call in (model.predict, model.classify):
        with pytest.raises(ValueError, match="Set `model.preprocessor = "):
            call(TEXTS)
    dataset = tf.data.Dataset.from_tensor_slices(TEXTS).batch(2)
    with pytest.raises(ValueError, match="has no tokenizer"):
        model.predict(dataset, verbose=0)


def test_what_is_no_preprocessor_is_refused(model, tiny_config):
    with pytest.raises(ValueError, match="AlbertTokenizer.from_pretrained"):
        model.preprocessor = "some/directory"
    other = ak.AlbertBackbone.from_config(tiny_config)
    with pytest.raises(ValueError, match="has 150 pieces"):
        other.preprocessor = model.preprocessor


def test_single_texts_in_a_dataset_are_refused(model):
    dataset = tf.data.Dataset.from_tensor_slices(TEXTS)
    with pytest.raises(ValueError, match="Call `dataset.batch"):
        model.predict(dataset, verbose=0)
