"""Pretraining batches: content, reproducibility, split over ranks."""

import json
import zlib

import numpy as np
import pytest

from albert_keras.data import PretrainingDataset
from albert_keras.tokenization.word_boundaries import word_begin_mask
from tests.marks import others_slow
from tests.processes import run_python


def digest(batch):
    parts = [array for part in batch for array in part.values()]
    return [zlib.crc32(np.ascontiguousarray(a).tobytes()) for a in parts]


def assert_equal_batches(a, b):
    for mine, theirs in zip(a, b, strict=True):
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name])


def test_a_batch_has_the_promised_shapes_and_types(store):
    inputs, labels, weights = PretrainingDataset(store, 32, 8)[0]
    shapes = {n: a.shape for p in (inputs, labels) for n, a in p.items()}
    assert shapes == {
        "token_ids": (8, 32),
        "segment_ids": (8, 32),
        "padding_mask": (8, 32),
        "mask_positions": (8, 5),
        "mlm": (8, 5),
        "sop": (8,),
    }
    types = {a.dtype.name for p in (inputs, labels) for a in p.values()}
    assert types == {"int32"}
    assert weights["mlm"].shape == (8, 5)
    assert weights["mlm"].dtype == np.float32


def test_rows_are_cls_first_sep_second_sep_and_padding(store):
    tokenizer = store.tokenizer
    dataset = PretrainingDataset(store, 32, 64)
    for step in range(5):
        inputs = dataset[step][0]
        ids = before_masking(dataset[step])
        for row in range(64):
            seps = np.flatnonzero(ids[row] == tokenizer.sep_id)
            length = inputs["padding_mask"][row].sum()
            assert ids[row, 0] == tokenizer.cls_id
            assert len(seps) == 2 and seps[1] == length - 1
            assert (ids[row, length:] == tokenizer.pad_id).all()
            segments = np.zeros(32, int)
            segments[seps[0] + 1 : length] = 1
            np.testing.assert_array_equal(inputs["segment_ids"][row], segments)


def before_masking(batch):
    inputs, labels, weights = batch
    ids = inputs["token_ids"].copy()
    real = weights["mlm"] > 0
    rows = np.broadcast_to(np.arange(len(ids))[:, None], real.shape)
    ids[rows[real], inputs["mask_positions"][real]] = labels["mlm"][real]
    return ids


def segments_of(dataset, row):
    """(column, start in the store, length) of both segments."""
    pairs = dataset.segment_pairs(np.array([row]))
    first, second = int(pairs.first_length[0]), int(pairs.second_length[0])
    return (
        (1, int(pairs.first_start[0]), first),
        (2 + first, int(pairs.second_start[0]), second),
    )


def test_segments_are_the_texts_own_tokens_in_the_order_of_the_label(store):
    dataset = PretrainingDataset(store, 40, 200, short_sequence_prob=0.5)
    batch = dataset[1]
    ids, labels = before_masking(batch), batch[1]["sop"]
    for row in range(200):
        segments = segments_of(dataset, 200 + row)
        for offset, start, length in segments:
            np.testing.assert_array_equal(
                ids[row, offset : offset + length],
                store.tokens[start : start + length],
            )
        swapped = segments[1][1] < segments[0][1]
        assert swapped == labels[row]


def test_only_whole_words_of_the_text_are_predicted(store):
    starts = word_begin_mask(store.tokenizer)[store.tokens]
    word = np.cumsum(starts)  # index of each token's word
    dataset = PretrainingDataset(store, 16, 400, masked_lm_prob=0.5)
    inputs, _, weights = dataset[0]
    cut_words = 0
    for row in range(400):
        real = weights["mlm"][row] > 0
        predicted = set(inputs["mask_positions"][row][real].tolist())
        for offset, start, length in segments_of(dataset, row):
            inside = range(start, start + length)
            for number in {word[p] for p in inside}:
                parts = np.flatnonzero(word == number)
                whole = all(p in inside for p in parts)
                here = [offset + p - start for p in parts if p in inside]
                chosen = [place in predicted for place in here]
                assert all(chosen) or not any(chosen)
                assert whole or not any(chosen)
                cut_words += not whole
                predicted -= set(here)
        assert not predicted, "a special token or padding"
    assert cut_words > 50


def test_counts_hold_on_the_real_path_from_text_to_batch(store):
    dataset = PretrainingDataset(store, 64, 250)
    predicted = text = swapped = rows = 0
    for step in range(60):
        inputs, labels, weights = dataset[step]
        predicted += weights["mlm"].sum()
        text += inputs["padding_mask"].sum() - 3 * 250
        swapped += labels["sop"].sum()
        rows += 250
    assert predicted / text == pytest.approx(0.15, abs=0.005)
    assert swapped / rows == pytest.approx(0.5, abs=0.01)


@pytest.mark.process
def test_the_same_step_gives_the_same_batch_in_another_process(corpus, store):
    mine = digest(PretrainingDataset(store, 32, 8, seed=3)[7])
    program = (
        "import sys, json; from tests.data.pretraining.test_dataset import *; "
        "print(json.dumps(digest(PretrainingDataset(sys.argv[1], 32, 8, "
        "seed=3)[7])))"
    )
    assert json.loads(run_python("-c", program, corpus)) == mine


def test_steps_seeds_and_passes_differ(store):
    dataset = PretrainingDataset(store, 32, 8)
    one_pass = len(dataset.sequences)
    batches = [
        digest(dataset[0]),
        digest(dataset[1]),
        digest(PretrainingDataset(store, 32, 8, seed=1)[0]),
        digest(dataset.rows(np.arange(one_pass, one_pass + 8))),
    ]
    for place, batch in enumerate(batches):
        for other in batches[:place]:
            assert batch[0] != other[0] and batch[3] != other[3]


def test_a_resumed_dataset_goes_on_where_it_was(store):
    dataset = PretrainingDataset(store, 32, 8)
    resumed = PretrainingDataset(store, 32, 8, first_step=5)
    assert_equal_batches(resumed[2], dataset[7])


def test_the_ranks_batches_together_are_one_of_twice_the_size(store):
    whole = PretrainingDataset(store, 32, 16)
    ranks = [PretrainingDataset(store, 32, 8, rank=r, size=2) for r in (0, 1)]
    for step in (0, 3, 50):
        parts = [rank[step] for rank in ranks]
        together = [
            {n: np.concatenate([a[n], b[n]]) for n in a}
            for a, b in zip(*parts, strict=True)
        ]
        assert_equal_batches(together, whole[step])


def test_a_pass_takes_each_sequence_once_in_an_order_of_its_own(store):
    dataset = PretrainingDataset(store, 32, 8)
    count = len(dataset.sequences)
    passes = dataset.sequence_indices(np.arange(2 * count)).reshape(2, count)
    for order in passes:
        np.testing.assert_array_equal(np.sort(order), np.arange(count))
    assert (passes[0] == passes[1]).mean() < 0.05


def test_training_and_validation_texts_do_not_meet(store):
    tokens = []
    for split in ("train", "validation"):
        sequences = PretrainingDataset(store, 32, 2, split=split).sequences
        tokens.append(
            {
                token
                for start, length in zip(
                    sequences.start, sequences.length, strict=True
                )
                for token in range(start, start + length)
            }
        )
    assert not tokens[0] & tokens[1]
    assert all(tokens)
    assert len(tokens[0] | tokens[1]) == len(store.tokens)


@pytest.mark.parametrize("length", others_slow([48, 16]))
def test_every_token_of_every_document_is_seen_once_a_pass(store, length):
    """Checks the batches of two ranks, the second of which resumes."""
    ranks = [
        PretrainingDataset(store, length, 4, split="all", rank=r, size=2)
        for r in (0, 1)
    ]
    count = len(ranks[0].sequences)
    resumed = PretrainingDataset(
        store, length, 4, split="all", rank=1, size=2, first_step=20
    )
    seen = np.zeros(len(store.tokens), int)
    for step in range(-(-count // 8)):
        later = step >= 20
        for rank in (0, 1):
            dataset = resumed if later and rank else ranks[rank]
            ids = before_masking(dataset[step - dataset.first_step])
            for row in range(4):
                number = step * 8 + rank * 4 + row
                if number >= count:
                    break  # the next pass
                for offset, start, size in segments_of(dataset, number):
                    np.testing.assert_array_equal(
                        ids[row, offset : offset + size],
                        store.tokens[start : start + size],
                    )
                    seen[start : start + size] += 1
    assert (seen == 1).all()


def statistics(batches):
    """Measured shares of predicted, swapped, masked and kept."""
    inputs = [batch[0] for batch in batches]
    text = sum(i["padding_mask"].sum() for i in inputs)
    rows = sum(len(i["padding_mask"]) for i in inputs)
    predicted = sum(batch[2]["mlm"].sum() for batch in batches)
    masked = kept = 0
    for batch in batches:
        real = batch[2]["mlm"] > 0
        after = np.take_along_axis(
            batch[0]["token_ids"], batch[0]["mask_positions"], axis=1
        )
        masked += (after[real] == 4).sum()
        kept += (after[real] == batch[1]["mlm"][real]).sum()
    return {
        "predicted": predicted / (text - 3 * rows),
        "swapped": sum(batch[1]["sop"].sum() for batch in batches) / rows,
        "masked": masked / predicted,
        "kept": kept / predicted,
    }


def test_statistics_are_alberts_on_two_ranks_and_after_a_resume(store):
    expected = {"predicted": 0.15, "swapped": 0.5, "masked": 0.8, "kept": 0.1}
    for settings in (
        {"rank": 0, "size": 2},
        {"rank": 1, "size": 2},
        {"first_step": 1234},
    ):
        dataset = PretrainingDataset(store, 64, 200, seed=3, **settings)
        found = statistics([dataset[step] for step in range(50)])
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=0.012), name


def test_a_text_too_small_for_one_batch_is_refused_with_numbers(store):
    sequences = len(PretrainingDataset(store, 32, 2).sequences)
    with pytest.raises(
        ValueError, match=f"{sequences} sequences of 32 tokens for 100000 rows"
    ):
        PretrainingDataset(store, 32, 50_000, size=2)


def test_settings_out_of_range_are_refused(store):
    with pytest.raises(ValueError, match="at least 8. Received: 4"):
        PretrainingDataset(store, 4, 8)
    with pytest.raises(ValueError, match="rank=2, size=2"):
        PretrainingDataset(store, 32, 8, rank=2, size=2)
    with pytest.raises(ValueError, match="must be probabilities.*1.5"):
        PretrainingDataset(store, 32, 8, masked_lm_prob=1.5)
