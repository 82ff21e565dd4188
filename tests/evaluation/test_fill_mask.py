"""Masks are filled by the model's probabilities at their positions."""

import numpy as np
import pytest

from albert_keras import AlbertBackbone, AlbertConfig, AlbertForMaskedLM
from albert_keras.data import AlbertTokenizer
from albert_keras.evaluation.fill_mask import fill_masks


@pytest.fixture
def tokenizer(corpus):
    return AlbertTokenizer.from_pretrained(corpus)


@pytest.fixture
def model(tokenizer):
    config = AlbertConfig.tiny(vocabulary_size=tokenizer.vocabulary_size)
    return AlbertForMaskedLM(AlbertBackbone.from_config(config))


def test_the_pieces_are_the_models_likeliest_at_each_mask(model, tokenizer):
    (before,), (after,) = tokenizer.encode(["ba do"]), tokenizer.encode(["le"])
    ids = [
        tokenizer.cls_id,
        *before,
        tokenizer.mask_id,
        *after,
        tokenizer.sep_id,
    ]
    inputs = {
        "token_ids": np.array([ids]),
        "mask_positions": np.array([[1 + len(before)]]),
    }
    logits = np.array(model(inputs)["mlm_logits"])[0, 0].astype("float64")
    expected = np.exp(logits) / np.exp(logits).sum()
    ((first, second),) = fill_masks(model, tokenizer, "Ba do [MASK] le", top=2)
    order = np.argsort(-expected)
    assert first.piece == tokenizer.id_to_piece(order[0])
    assert first.probability == pytest.approx(expected[order[0]], rel=1e-4)
    assert second.probability == pytest.approx(expected[order[1]], rel=1e-4)


def test_every_mask_is_filled(model, tokenizer):
    fills = fill_masks(model, tokenizer, "[MASK] ba [MASK].", top=3)
    assert [len(f) for f in fills] == [3, 3]


def test_punctuation_behind_a_mask_stays_attached(model, tokenizer):
    calls = []

    def spy(inputs):
        calls.append(inputs["token_ids"][0].tolist())
        return model(inputs)

    fill_masks(spy, tokenizer, "Ba [MASK].")
    dot = tokenizer.piece_to_id(".")
    assert calls[0][-3:] == [tokenizer.mask_id, dot, tokenizer.sep_id]


def test_a_text_without_a_mask_is_refused(model, tokenizer):
    with pytest.raises(ValueError, match=r"no \[MASK\]. Received: 'ba do'"):
        fill_masks(model, tokenizer, "ba do")
