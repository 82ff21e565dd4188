"""Parameter counts, saving with Keras, and pretrained directories."""

import io
import json

import keras
import numpy as np
import pytest

from albert_keras import (
    AlbertBackbone,
    AlbertConfig,
    AlbertForMaskedLM,
    AlbertForPretraining,
)
from albert_keras.conversion.keras_format import CONFIG_FILE, WEIGHTS_FILE
from albert_keras.optimizers import Lamb
from tests.batches import make_batch
from tests.marks import others_slow

# Counted in the released checkpoints: shared block, encoder without pooler,
# with pooler, with both heads.
RELEASED = {
    "base": (7_087_872, 11_092_992, 11_683_584, 11_813_810),
    "large": (12_596_224, 16_634_368, 17_683_968, 17_847_474),
    "xlarge": (50_358_272, 54_528_512, 58_724_864, 59_021_490),
    "xxlarge": (201_379_840, 205_814_272, 222_595_584, 223_158_450),
}


@pytest.mark.parametrize("size", others_slow(RELEASED))
@pytest.mark.parametrize("version", [1, 2])
def test_parameter_counts_equal_those_of_the_released_models(
    size, version, monkeypatch
):
    # Zeros are faster than two hundred million random numbers.
    monkeypatch.setattr(
        keras.initializers.TruncatedNormal,
        "__call__",
        lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype),
    )
    backbone = AlbertBackbone.from_size(size, version)
    model = AlbertForPretraining(backbone)
    pooler = backbone.pooler.count_params()
    assert (
        backbone.encoder.blocks[0].count_params(),
        backbone.count_params() - pooler,
        backbone.count_params(),
        model.count_params(),
    ) == RELEASED[size]


def test_sharing_counts_a_block_once_whatever_the_number_of_layers():
    few = AlbertBackbone.from_size("tiny", num_layers=1)
    many = AlbertBackbone.from_size("tiny", num_layers=12)
    assert few.count_params() == many.count_params()
    grouped = AlbertBackbone.from_size(
        "tiny", num_layers=12, num_groups=2, num_inner_repetitions=3
    )
    block = few.encoder.blocks[0].count_params()
    assert grouped.count_params() == many.count_params() + 5 * block


def test_summary_names_the_parts_with_their_shapes(pretraining_model):
    text = io.StringIO()
    pretraining_model.summary(print_fn=lambda line: text.write(line))
    for word in ("mlm_head", "sop_head", "(None, None, 50)", "(None, 2)"):
        assert word in text.getvalue()
    assert f"{pretraining_model.count_params():,}" in text.getvalue()


def test_weights_start_as_a_truncated_normal():
    model = AlbertForPretraining(AlbertBackbone.from_size("tiny"))
    stddev = model.config.initializer_range
    for variable in model.weights:
        values = keras.ops.convert_to_numpy(variable)
        kind = variable.path.rsplit("/", 1)[-1]
        if kind == "gamma":
            assert (values == 1).all()
        elif kind in ("beta", "bias", "output_bias"):
            assert (values == 0).all()
        else:
            assert np.abs(values).max() <= 2 * stddev + 1e-6
            if values.size > 1000:
                assert np.std(values) == pytest.approx(0.88 * stddev, rel=0.05)


def test_get_config_builds_the_same_model(pretraining_model, rng):
    inputs, _, _ = make_batch(rng, pretraining_model.config)
    copy = AlbertForPretraining.from_config(pretraining_model.get_config())
    assert copy.config == pretraining_model.config
    copy.set_weights(pretraining_model.get_weights())
    np.testing.assert_array_equal(
        copy(inputs)["mlm_logits"], pretraining_model(inputs)["mlm_logits"]
    )


@pytest.mark.heavy
def test_a_saved_keras_file_gives_back_model_and_optimizer(
    pretraining_model, rng, tmp_path
):
    inputs, labels, weights = make_batch(rng, pretraining_model.config)
    # Keras expects sample weights for every label.
    weights["sop"] = np.ones(8, "float32")
    pretraining_model.compile(Lamb(0.01), gradient_accumulation_steps=2)
    data = dict(x=inputs, y=labels, sample_weight=weights, verbose=0)
    pretraining_model.fit(**data, batch_size=8)
    pretraining_model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.gradient_accumulation_steps == 2
    assert loaded.optimizer.iterations == 1
    for model in (pretraining_model, loaded):
        model.fit(**data, batch_size=8)
    for mine, theirs in zip(
        pretraining_model.get_weights(), loaded.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_a_pretrained_directory_gives_every_model_what_it_has(
    pretraining_model, rng, tmp_path, caplog
):
    inputs, _, _ = make_batch(rng, pretraining_model.config)
    pretraining_model.save_pretrained(tmp_path / "model")
    expected = pretraining_model(inputs)

    again = AlbertForPretraining.from_pretrained(tmp_path / "model")
    for name in expected:
        np.testing.assert_array_equal(again(inputs)[name], expected[name])
    masked = AlbertForMaskedLM.from_pretrained(tmp_path / "model")
    np.testing.assert_array_equal(
        masked(inputs)["mlm_logits"], expected["mlm_logits"]
    )
    backbone = AlbertBackbone.from_pretrained(tmp_path / "model")
    np.testing.assert_array_equal(
        backbone(inputs)["pooled_output"],
        pretraining_model.backbone(inputs)["pooled_output"],
    )
    # Each load warns once of weights that the model does not use.
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "not used: sop_head/kernel, sop_head/bias." in messages[0]
    assert "mlm_head/output_bias" in messages[1]
    assert "randomly initialized" not in caplog.text

    backbone.save_pretrained(tmp_path / "backbone")
    AlbertForMaskedLM.from_pretrained(tmp_path / "backbone")
    assert "mlm_head/output_bias" in caplog.text


def test_settings_can_be_replaced_on_loading(pretraining_model, tmp_path):
    pretraining_model.save_pretrained(tmp_path / "model")
    loaded = AlbertBackbone.from_pretrained(
        tmp_path / "model", dtype="mixed_bfloat16", hidden_dropout=0.2
    )
    assert loaded.config.hidden_dropout == 0.2
    assert loaded.dtype_policy.name == "mixed_bfloat16"


def test_saving_replaces_a_pretrained_directory_but_nothing_else(
    pretraining_model, tmp_path
):
    pretraining_model.save_pretrained(tmp_path / "model")
    pretraining_model.save_pretrained(tmp_path / "model")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.tex").write_text("work of years")
    with pytest.raises(ValueError, match="thesis.tex"):
        pretraining_model.save_pretrained(tmp_path / "notes")
    assert [p.name for p in (tmp_path / "notes").iterdir()] == ["thesis.tex"]
    with pytest.raises(ValueError, match="'keras_hub'.. Received: 'onnx'"):
        pretraining_model.save_pretrained(tmp_path / "x", format="onnx")


def test_a_directory_that_is_not_pretrained_is_refused(tmp_path):
    with pytest.raises(ValueError, match="There is no such directory"):
        AlbertBackbone.from_pretrained(tmp_path / "missing")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(ValueError, match="It holds: a.txt"):
        AlbertBackbone.from_pretrained(tmp_path)


def test_damaged_files_are_refused_by_name(pretraining_model, tmp_path):
    pretraining_model.save_pretrained(tmp_path / "model")
    weights = tmp_path / "model" / WEIGHTS_FILE
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f"{WEIGHTS_FILE} is damaged"):
        AlbertBackbone.from_pretrained(tmp_path / "model")
    weights.unlink()
    with pytest.raises(ValueError, match=f"{WEIGHTS_FILE} is missing"):
        AlbertBackbone.from_pretrained(tmp_path / "model")
    (tmp_path / "model" / CONFIG_FILE).write_text("{")
    with pytest.raises(ValueError, match=f"{CONFIG_FILE} is damaged"):
        AlbertBackbone.from_pretrained(tmp_path / "model")


def test_weights_of_another_shape_are_refused_with_both_shapes(
    pretraining_model, tmp_path
):
    pretraining_model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / CONFIG_FILE
    description = json.loads(path.read_text())
    description["config"]["hidden_dim"] = 10
    path.write_text(json.dumps(description))
    with pytest.raises(ValueError, match=r"\(6, 8\) in the file and \(6, 10\)"):
        AlbertBackbone.from_pretrained(tmp_path / "model")


def test_the_arguments_of_the_backbone_have_the_defaults_of_the_config():
    config = AlbertBackbone(num_layers=1, hidden_dim=12).config
    assert config == AlbertConfig(num_layers=1, hidden_dim=12)
