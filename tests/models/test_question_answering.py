"""Span prediction, the answerability head, and batches of several lengths."""

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras import losses, metrics
from albert_keras.data.tasks.example_batches import Examples, TrainingBatches
from tests.references.albert import dense

pytestmark = pytest.mark.heavy

LENGTH = 9


@pytest.fixture
def backbone(tiny_config):
    return ak.AlbertBackbone.from_config(tiny_config)


@pytest.fixture
def inputs(rng):
    mask = np.zeros((4, LENGTH), "int32")
    for row, length in enumerate((9, 7, 5, 8)):
        mask[row, :length] = 1
    answer_mask = mask.copy()
    answer_mask[:, 1:3] = 0
    return {
        "token_ids": rng.integers(5, 50, (4, LENGTH), "int32") * mask,
        "segment_ids": np.repeat([[0] * 3 + [1] * 6], 4, 0).astype("int32"),
        "padding_mask": mask,
        "answer_mask": answer_mask,
    }


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_the_answer_mask_leaves_only_what_may_be_an_answer(backbone, inputs):
    model = ak.AlbertForQuestionAnswering(backbone)
    masked = model(inputs)
    plain = model({k: v for k, v in inputs.items() if k != "answer_mask"})
    allowed = inputs["answer_mask"].astype(bool)
    for name in ("start_logits", "end_logits"):
        one, other = np.array(masked[name]), np.array(plain[name])
        np.testing.assert_array_equal(one[allowed], other[allowed])
        assert (one[~allowed] == -30000).all()
        is_text = inputs["padding_mask"].astype(bool)
        assert np.abs(other[is_text]).max() < 100
        assert (other[~is_text] == -30000).all()


def test_the_answerability_head_is_googles_formula(backbone, inputs):
    model = ak.AlbertForQuestionAnswering(backbone, answerability_head=True)
    outputs = model(inputs)
    x = np.array(backbone(inputs)["sequence_output"])
    p = softmax(np.array(outputs["start_logits"]))
    both = np.concatenate([np.einsum("bt,bth->bh", p, x), x[:, 0]], -1)
    weights = model.to_parts().weights
    hidden = np.tanh(dense(weights, "answerability_head/dense", both))
    expected = hidden @ weights["answerability_head/logit/kernel"]
    np.testing.assert_allclose(
        outputs["answerable_logits"], expected[:, 0], rtol=1e-4, atol=1e-5
    )


def test_the_losses_are_half_of_span_and_half_of_answerability(
    backbone, inputs
):
    model = ak.AlbertForQuestionAnswering(backbone, answerability_head=True)
    model.compile(keras.optimizers.SGD(0.0))
    labels = {
        "start": np.array([4, 0, 3, 5]),
        "end": np.array([6, 0, 3, 7]),
        "answerable": np.array([1, 0, 1, 1]),
    }
    results = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    outputs = {name: np.array(v) for name, v in model(inputs).items()}
    rows = np.arange(4)
    start, end = (
        -np.log(softmax(outputs[f"{name}_logits"])[rows, labels[name]])
        for name in ("start", "end")
    )
    z = outputs["answerable_logits"]
    p = 1 / (1 + np.exp(-z))
    right = np.where(labels["answerable"], p, 1 - p)
    expected = 0.5 * (start + end).mean() - 0.5 * np.log(right).mean()
    assert float(results["loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(results["answerable_accuracy"]) == pytest.approx(
        np.mean(right > 0.5)
    )


def test_exact_and_f1_count_pieces_in_common():
    #         right  none  half inside  backwards  [CLS] right
    first = np.array([2, 2, 2, 2, 0])
    last = np.array([4, 3, 5, 4, 0])
    start = np.array([2, 5, 4, 4, 0])
    end = np.array([4, 6, 5, 3, 0])
    logits = [np.eye(8)[places] for places in (start, end)]
    labels = (first, last)
    exact = np.array(metrics.span_exact(labels, logits))
    f1 = np.array(metrics.span_f1(labels, logits))
    assert exact.tolist() == [1, 0, 0, 0, 1]
    np.testing.assert_allclose(f1, [1, 0, 2 * 2 / (4 + 2), 0, 1], rtol=1e-6)


def test_cross_entropy_of_two_answers_is_stable():
    logits = np.array([100.0, -100.0, 100.0, 0.0], "float32")
    loss = losses.binary_cross_entropy(np.array([1, 1, 0, 0]), logits)
    np.testing.assert_allclose(loss, [0, 100, 100, np.log(2)], rtol=1e-6)


def test_missing_labels_are_named(backbone, inputs):
    model = ak.AlbertForQuestionAnswering(backbone, answerability_head=True)
    model.compile(keras.optimizers.SGD(0.0))
    labels = {"start": np.zeros(4, int), "end": np.zeros(4, int)}
    with pytest.raises(ValueError, match="labels 'answerable' of objective"):
        model.train_on_batch(inputs, labels)


class Rows(Examples):
    """Rows of three lengths; the class of a row depends on its second id."""

    sequence_length = 16

    def __init__(self):
        self.lengths = np.array([6, 6, 12, 16] * 3)
        self.ids = np.random.default_rng(0).integers(5, 50, (12, 16))

    def batch(self, indices, width):
        mask = np.arange(width) < self.lengths[indices, None]
        inputs = {
            "token_ids": self.ids[indices, :width] * mask,
            "segment_ids": np.zeros_like(mask),
            "padding_mask": mask,
        }
        labels = self.ids[indices, 1] % 2
        return {k: v.astype("int32") for k, v in inputs.items()}, labels


@pytest.mark.parametrize(
    "multiple", [1, pytest.param(16, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_lengths_that_differ_from_batch_to_batch_train_the_same(
    tiny_config, multiple
):
    """Pads to the longest row of a batch, or all rows to one length."""
    ends = []
    for padding_multiple in (multiple, 5):
        keras.utils.set_random_seed(1)
        backbone = ak.AlbertBackbone.from_config(tiny_config)
        model = ak.AlbertForSequenceClassification(backbone, dropout=0.0)
        model.compile(
            keras.optimizers.Adam(1e-3), gradient_accumulation_steps=2
        )
        batches = TrainingBatches(
            Rows(), 2, padding_multiple=padding_multiple, group_by_length=True
        )
        assert len({batches[i][0]["token_ids"].shape for i in range(12)}) > (
            0 if padding_multiple == 16 else 1
        )
        model.fit(batches, steps_per_epoch=12, shuffle=False, verbose=0)
        ends.append(model.get_weights())
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_clone_has_weights_of_its_own_and_another_dropout(backbone, inputs):
    copy = backbone.clone(hidden_dropout=0.5)
    assert copy.config.hidden_dropout == 0.5
    np.testing.assert_array_equal(
        copy(inputs)["pooled_output"], backbone(inputs)["pooled_output"]
    )
    copy.token_table.assign(0 * copy.token_table)
    assert np.abs(backbone.token_table).max() > 0
