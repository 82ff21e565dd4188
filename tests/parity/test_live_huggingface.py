"""Our models against Hugging Face's live ones, in both directions."""

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.conversion.formats import FORMATS
from tests.parity.cases import BASE, CASES, make_inputs
from tests.parity.compare import assert_close, our_outputs

REASON = "needs PyTorch and transformers: make test-parity"
torch = pytest.importorskip("torch", reason=REASON)
transformers = pytest.importorskip("transformers", reason=REASON)


def models():
    from tests.parity import huggingface_models

    return huggingface_models


def loaded_by_transformers(class_name, directory):
    model, info = getattr(transformers, class_name).from_pretrained(
        directory, output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    assert not info["mismatched_keys"], info
    return model.eval()


@pytest.mark.parametrize("name", CASES)
def test_their_model_computes_the_same_in_ours_and_back_in_theirs(
    name, tmp_path
):
    theirs, ours, _ = CASES[name]
    original = models().make_case(name)
    original.save_pretrained(tmp_path / "theirs")
    inputs = make_inputs(name)
    expected = models().outputs_of(original, inputs)

    model = getattr(ak, ours).from_pretrained(tmp_path / "theirs")
    assert_close(our_outputs(model, inputs), expected, inputs)

    model.save_pretrained(tmp_path / "ours", format="huggingface")
    again = loaded_by_transformers(theirs, tmp_path / "ours")
    for key, value in original.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[key], value, key)
    assert again.config.num_labels == original.config.num_labels


@pytest.mark.slow
def test_a_model_of_base_size_computes_the_same(tmp_path):
    original = models().make_model("AlbertForPreTraining", BASE, scale=0.02)
    original.save_pretrained(tmp_path / "theirs")
    inputs = make_inputs("base", rows=2, length=64)
    expected = models().outputs_of(original, inputs)
    model = ak.AlbertForPretraining.from_pretrained(tmp_path / "theirs")
    assert_close(our_outputs(model, inputs), expected, inputs)

    model.save_pretrained(tmp_path / "ours", format="huggingface")
    again = loaded_by_transformers("AlbertForPreTraining", tmp_path / "ours")
    for key, value in original.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[key], value, key)


def test_our_random_model_computes_the_same_in_theirs(tmp_path):
    config = ak.AlbertConfig.tiny(num_groups=2, num_inner_repetitions=2)
    model = ak.AlbertForPretraining(ak.AlbertBackbone.from_config(config))
    model.save_pretrained(tmp_path / "ours", format="huggingface")
    again = loaded_by_transformers("AlbertForPreTraining", tmp_path / "ours")
    inputs = make_inputs("tiny")
    expected = models().outputs_of(again, inputs)
    assert_close(our_outputs(model, inputs), expected, inputs)


def test_sharded_files_of_theirs_are_read(tmp_path):
    original = models().make_case("pretraining")
    original.save_pretrained(tmp_path, max_shard_size="2KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    inputs = make_inputs("pretraining")
    model = ak.AlbertForPretraining.from_pretrained(tmp_path)
    expected = models().outputs_of(original, inputs)
    assert_close(our_outputs(model, inputs), expected, inputs)


def test_a_half_precision_file_is_read_as_float32(tmp_path):
    original = models().make_case("pretraining").to(torch.bfloat16)
    original.save_pretrained(tmp_path)
    model = ak.AlbertForPretraining.from_pretrained(tmp_path)
    inputs = make_inputs("pretraining")
    expected = models().outputs_of(original.float(), inputs)
    assert_close(our_outputs(model, inputs), expected, inputs)


def test_the_formats_are_those_that_are_compared():
    assert set(FORMATS) == {"keras", "huggingface", "keras_hub", "google"}
