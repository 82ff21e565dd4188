"""Google's TensorFlow 1 checkpoints against their published variables."""

import json

import numpy as np
import pytest
import tensorflow as tf

import albert_keras as ak
from albert_keras.evaluation.parity import random_inputs
from tests.references.albert import forward

V, E, H, FF, P, S = 40, 6, 8, 12, 16, 2
ATTENTION = "bert/encoder/transformer/group_0/inner_group_0/attention_1"
FEED_FORWARD = "bert/encoder/transformer/group_0/inner_group_0/ffn_1"
BLOCK = "bert/encoder/transformer/group_0/inner_group_0"
OURS = "backbone/encoder/group_0_block_0"
# The variables of a released checkpoint: their shapes and our names.
VARIABLES = {
    "bert/embeddings/word_embeddings": (
        (V, E),
        "backbone/embeddings/token_embedding",
    ),
    "bert/embeddings/token_type_embeddings": (
        (S, E),
        "backbone/embeddings/segment_embedding",
    ),
    "bert/embeddings/position_embeddings": (
        (P, E),
        "backbone/embeddings/position_embedding",
    ),
    "bert/embeddings/LayerNorm/gamma": (
        (E,),
        "backbone/embeddings/layer_norm/gamma",
    ),
    "bert/embeddings/LayerNorm/beta": (
        (E,),
        "backbone/embeddings/layer_norm/beta",
    ),
    "bert/encoder/embedding_hidden_mapping_in/kernel": (
        (E, H),
        "backbone/embeddings/projection/kernel",
    ),
    "bert/encoder/embedding_hidden_mapping_in/bias": (
        (H,),
        "backbone/embeddings/projection/bias",
    ),
    f"{ATTENTION}/self/query/kernel": (
        (H, H),
        f"{OURS}/self_attention/query/kernel",
    ),
    f"{ATTENTION}/self/query/bias": (
        (H,),
        f"{OURS}/self_attention/query/bias",
    ),
    f"{ATTENTION}/self/key/kernel": (
        (H, H),
        f"{OURS}/self_attention/key/kernel",
    ),
    f"{ATTENTION}/self/key/bias": ((H,), f"{OURS}/self_attention/key/bias"),
    f"{ATTENTION}/self/value/kernel": (
        (H, H),
        f"{OURS}/self_attention/value/kernel",
    ),
    f"{ATTENTION}/self/value/bias": (
        (H,),
        f"{OURS}/self_attention/value/bias",
    ),
    f"{ATTENTION}/output/dense/kernel": (
        (H, H),
        f"{OURS}/self_attention/output/kernel",
    ),
    f"{ATTENTION}/output/dense/bias": (
        (H,),
        f"{OURS}/self_attention/output/bias",
    ),
    f"{BLOCK}/LayerNorm/gamma": ((H,), f"{OURS}/attention_layer_norm/gamma"),
    f"{BLOCK}/LayerNorm/beta": ((H,), f"{OURS}/attention_layer_norm/beta"),
    f"{FEED_FORWARD}/intermediate/dense/kernel": (
        (H, FF),
        f"{OURS}/intermediate/kernel",
    ),
    f"{FEED_FORWARD}/intermediate/dense/bias": (
        (FF,),
        f"{OURS}/intermediate/bias",
    ),
    f"{FEED_FORWARD}/intermediate/output/dense/kernel": (
        (FF, H),
        f"{OURS}/feed_forward_output/kernel",
    ),
    f"{FEED_FORWARD}/intermediate/output/dense/bias": (
        (H,),
        f"{OURS}/feed_forward_output/bias",
    ),
    f"{BLOCK}/LayerNorm_1/gamma": (
        (H,),
        f"{OURS}/feed_forward_layer_norm/gamma",
    ),
    f"{BLOCK}/LayerNorm_1/beta": (
        (H,),
        f"{OURS}/feed_forward_layer_norm/beta",
    ),
    "bert/pooler/dense/kernel": ((H, H), "backbone/pooler/kernel"),
    "bert/pooler/dense/bias": ((H,), "backbone/pooler/bias"),
    "cls/predictions/transform/dense/kernel": (
        (H, E),
        "mlm_head/transform/kernel",
    ),
    "cls/predictions/transform/dense/bias": (
        (E,),
        "mlm_head/transform/bias",
    ),
    "cls/predictions/transform/LayerNorm/gamma": (
        (E,),
        "mlm_head/layer_norm/gamma",
    ),
    "cls/predictions/transform/LayerNorm/beta": (
        (E,),
        "mlm_head/layer_norm/beta",
    ),
    "cls/predictions/output_bias": ((V,), "mlm_head/output_bias"),
    "cls/seq_relationship/output_weights": ((2, H), "sop_head/kernel"),
    "cls/seq_relationship/output_bias": ((2,), "sop_head/bias"),
}
CONFIG = {
    "vocab_size": V,
    "embedding_size": E,
    "hidden_size": H,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": FF,
    "max_position_embeddings": P,
    "type_vocab_size": S,
    "hidden_act": "gelu",
    "inner_group_num": 1,
    "num_hidden_groups": 1,
    # Keys in Google's files that are not read.
    "net_structure_type": 0,
    "gap_size": 0,
    "num_memory_blocks": 0,
    "down_scale_factor": 1,
}


@pytest.fixture
def release(tmp_path, rng):
    """Directory and arrays of a checkpoint written by TensorFlow 1 code."""
    directory = tmp_path / "albert_small"
    directory.mkdir()
    (directory / "albert_config.json").write_text(json.dumps(CONFIG))
    arrays = {
        name: rng.normal(0, 0.4, shape).astype("float32")
        for name, (shape, _) in VARIABLES.items()
    }
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(name, initializer=value)
            for name, value in arrays.items()
        ]
        tf.compat.v1.get_variable("global_step", initializer=np.int64(125000))
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver()
        saver.save(session, str(directory / "model.ckpt-best"))
        assert len(variables) == 32
    (directory / "checkpoint").unlink()
    return directory, arrays


def our_weights(arrays):
    """Arrays by our names; Google stores the SOP head as (out, in)."""
    weights = {ours: arrays[name] for name, (_, ours) in VARIABLES.items()}
    weights["sop_head/kernel"] = weights["sop_head/kernel"].T
    return weights


def test_a_release_computes_what_numpy_computes_from_its_arrays(
    release, caplog
):
    directory, arrays = release
    model = ak.AlbertForPretraining.from_pretrained(directory)
    assert not caplog.records
    assert model.config.activation == "gelu_tanh"
    inputs = random_inputs(model.config)
    expected = forward(our_weights(arrays), model.config, inputs)
    outputs = model(inputs)
    for name in ("mlm_logits", "sop_logits"):
        np.testing.assert_allclose(
            outputs[name], expected[name], rtol=1e-5, atol=1e-5
        )


def test_writing_gives_the_variables_of_a_release_and_no_others(
    release, tmp_path
):
    directory, arrays = release
    model = ak.AlbertForPretraining.from_pretrained(directory)
    model.save_pretrained(tmp_path / "written", format="google")
    reader = tf.train.load_checkpoint(str(tmp_path / "written/model.ckpt-best"))
    shapes = reader.get_variable_to_shape_map()
    assert set(shapes) == {*VARIABLES, "global_step"}
    for name in VARIABLES:
        np.testing.assert_array_equal(reader.get_tensor(name), arrays[name])
    assert reader.get_tensor("global_step").dtype == np.int64
    written = json.loads((tmp_path / "written/albert_config.json").read_text())
    for key in CONFIG.keys() & written.keys():
        assert written[key] == CONFIG[key], key


def test_missing_keys_of_a_configuration_have_googles_defaults(release):
    directory, _ = release
    path = directory / "albert_config.json"
    path.write_text(json.dumps({"vocab_size": V}))
    with pytest.raises(ValueError, match=r"\(40, 6\) in the file and \(40, 1"):
        ak.AlbertBackbone.from_pretrained(directory)


def test_where_google_has_no_projection_it_is_the_identity(tmp_path, rng):
    config = ak.AlbertConfig(
        vocabulary_size=V,
        num_layers=1,
        num_heads=2,
        embedding_dim=H,
        hidden_dim=H,
        intermediate_dim=FF,
        max_sequence_length=P,
    )
    model = ak.AlbertBackbone.from_config(config)
    with pytest.raises(ValueError, match="no embedding projection if"):
        model.save_pretrained(tmp_path / "google", format="google")
    assert not (tmp_path / "google").exists()

    wider = {
        name: tuple(H if size == E else size for size in shape)
        for name, (shape, _) in VARIABLES.items()
        if "embedding_hidden_mapping_in" not in name
    }
    directory = tmp_path / "release"
    directory.mkdir()
    values = dict(CONFIG, embedding_size=H)
    (directory / "albert_config.json").write_text(json.dumps(values))
    names = sorted(wider)
    tf.raw_ops.SaveV2(
        prefix=str(directory / "model.ckpt-best"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[rng.normal(size=wider[n]).astype("float32") for n in names],
    )
    loaded = ak.AlbertBackbone.from_pretrained(directory)
    np.testing.assert_array_equal(
        loaded.embeddings.projection.kernel, np.eye(H)
    )


def test_optimizer_slots_are_left_aside(release, caplog):
    directory, arrays = release
    names = sorted(arrays)
    slots = [f"{name}/adam_m" for name in names]
    tf.raw_ops.SaveV2(
        prefix=str(directory / "model.ckpt-best"),
        tensor_names=[*names, *slots],
        shape_and_slices=[""] * 2 * len(names),
        tensors=[arrays[name] for name in names] * 2,
    )
    ak.AlbertForPretraining.from_pretrained(directory)
    assert not caplog.records
