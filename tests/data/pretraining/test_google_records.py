"""Google's TFRecord files, compared with TensorFlow's reader and writer."""

import gzip
import zlib

import numpy as np
import pytest
import tensorflow as tf

from albert_keras.data import PretrainingDataset
from albert_keras.data.pretraining.google_records import (
    PretrainingRecords,
    unmasked,
    write_pretraining_records,
)
from albert_keras.data.pretraining.tf_example import (
    decode_varints,
    encode_varints,
    read_features,
)
from albert_keras.tokenization.word_boundaries import word_begin_mask

INTEGERS = {
    "input_ids": 16,
    "input_mask": 16,
    "segment_ids": 16,
    "token_boundary": 16,
    "masked_lm_positions": 3,
    "masked_lm_ids": 3,
    "next_sentence_labels": 1,
}


def as_google_writes(rng, length=16, slots=3):
    """A record of random features, serialized by TensorFlow, and its values."""
    values = {
        name: rng.integers(0, 40_000, {16: length, 3: slots}.get(size, 1))
        for name, size in INTEGERS.items()
    }
    features = {
        name: tf.train.Feature(int64_list=tf.train.Int64List(value=array))
        for name, array in values.items()
    }
    values["masked_lm_weights"] = rng.random(slots).astype("float32")
    features["masked_lm_weights"] = tf.train.Feature(
        float_list=tf.train.FloatList(value=values["masked_lm_weights"])
    )
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(), values


def write(path, records, compression=""):
    options = tf.io.TFRecordOptions(compression_type=compression)
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for record in records:
            writer.write(record)
    return path


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_files_that_tensorflow_wrote_are_read(tmp_path, rng, compression):
    records, values = zip(
        *[as_google_writes(rng) for _ in range(7)], strict=True
    )
    write(tmp_path / "a.tfrecord", records[:3], compression)
    write(tmp_path / "b.tfrecord", records[3:], compression)
    dataset = PretrainingRecords(tmp_path, batch_size=2)
    inputs, labels, weights = dataset.records(np.arange(7))
    for ours, theirs in (
        (inputs["token_ids"], "input_ids"),
        (inputs["segment_ids"], "segment_ids"),
        (inputs["padding_mask"], "input_mask"),
        (inputs["mask_positions"], "masked_lm_positions"),
        (labels["mlm"], "masked_lm_ids"),
        (labels["sop"][:, None], "next_sentence_labels"),
        (weights["mlm"], "masked_lm_weights"),
    ):
        np.testing.assert_array_equal(ours, [value[theirs] for value in values])
    assert {a.dtype.name for a in (*inputs.values(), *labels.values())} == {
        "int32"
    }
    features = read_features(records[0])
    boundary = decode_varints(features["token_boundary"][1])
    np.testing.assert_array_equal(boundary, values[0]["token_boundary"])


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_tensorflow_reads_what_is_written(tmp_path, store, compression):
    dataset = PretrainingDataset(store, 32, 4)
    path = tmp_path / "mine.tfrecord"
    count = write_pretraining_records(path, dataset, range(3), compression)
    assert count == 12
    lengths = {"input": 32, "segment": 32, "token": 32, "next": 1}
    schema = {
        name: tf.io.FixedLenFeature(
            [lengths.get(name.split("_")[0], 5)],
            tf.float32 if name == "masked_lm_weights" else tf.int64,
        )
        for name in (*INTEGERS, "masked_lm_weights")
    }
    read = tf.data.TFRecordDataset(
        str(path), compression_type=compression.upper() if compression else ""
    )
    rows = [tf.io.parse_single_example(record, schema) for record in read]
    starts = word_begin_mask(store.tokenizer)
    for step in range(3):
        inputs, labels, weights = dataset[step]
        theirs = {
            name: np.stack([row[name] for row in rows[step * 4 :][:4]])
            for name in schema
        }
        np.testing.assert_array_equal(theirs["input_ids"], inputs["token_ids"])
        np.testing.assert_array_equal(theirs["masked_lm_ids"], labels["mlm"])
        np.testing.assert_array_equal(
            theirs["next_sentence_labels"][:, 0], labels["sop"]
        )
        np.testing.assert_array_equal(
            theirs["masked_lm_weights"], weights["mlm"]
        )
        ids = unmasked(inputs, labels, weights)
        real = inputs["padding_mask"] == 1
        np.testing.assert_array_equal(theirs["token_boundary"][~real], 0)
        np.testing.assert_array_equal(
            theirs["token_boundary"][real] == 1, starts[ids[real]]
        )


def test_batches_depend_on_seed_step_and_rank_and_take_each_record_once(
    tmp_path, rng
):
    records, _ = zip(*[as_google_writes(rng) for _ in range(12)], strict=True)
    write(tmp_path / "a.tfrecord", records)
    whole = PretrainingRecords(tmp_path, batch_size=4)
    ranks = [
        PretrainingRecords(tmp_path, batch_size=2, rank=r, size=2, first_step=1)
        for r in (0, 1)
    ]
    together = np.concatenate([r[0][0]["token_ids"] for r in ranks])
    np.testing.assert_array_equal(together, whole[1][0]["token_ids"])
    passes = [
        np.concatenate([whole[s][0]["token_ids"] for s in steps])
        for steps in (range(3), range(3, 6))
    ]
    for rows in passes:
        assert len({row.tobytes() for row in rows}) == 12
    assert not np.array_equal(*passes)
    assert whole.steps_per_pass == 3


def test_a_mix_of_lengths_is_refused_with_file_and_lengths(tmp_path, rng):
    write(tmp_path / "a.tfrecord", [as_google_writes(rng)[0]])
    write(tmp_path / "b.tfrecord", [as_google_writes(rng, length=24)[0]])
    dataset = PretrainingRecords(tmp_path, batch_size=2)
    message = "b.tfrecord, record 0 has 24 tokens and 3 predictions.* 16 and 3"
    with pytest.raises(ValueError, match=message):
        dataset[0]


def damaged(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: d[:-3], "is truncated: record 2"),
        (
            lambda d: damaged(d, 2),
            "is not a TFRecord file, or damaged at byte 0",
        ),
        (lambda d: damaged(d, 40), "record 0: the checksum does not match"),
        (lambda d: b"", "is empty"),
        (lambda d: gzip.compress(d)[:-9], "is damaged or truncated"),
        (lambda d: zlib.compress(d)[:-9], "is damaged or truncated"),
        (lambda d: b"Some text of another kind.\n", "is not a TFRecord file"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, rng, change, message):
    records = [as_google_writes(rng)[0] for _ in range(3)]
    path = write(tmp_path / "a.tfrecord", records)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=f"a.tfrecord.*{message}"):
        PretrainingRecords(path, batch_size=3)[0]


def test_other_features_are_refused_by_name(tmp_path):
    feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
    example = tf.train.Example(
        features=tf.train.Features(feature={"ids": feature})
    )
    path = write(tmp_path / "a.tfrecord", [example.SerializeToString()])
    with pytest.raises(ValueError, match="'input_ids' is missing.*It has ids"):
        PretrainingRecords(path, batch_size=1)


def test_integers_of_every_size_come_back(rng):
    values = np.concatenate(
        [[0, 1, 127, 128, 2**62, -1], 2 ** rng.integers(0, 62, 100)]
    )
    assert decode_varints(encode_varints(values)).tolist() == values.tolist()
    with pytest.raises(ValueError, match="ends inside an integer"):
        decode_varints(b"\x01\x80")
