"""KerasHub's models against ours, in both directions."""

import numpy as np
import pytest
import sentencepiece

import albert_keras as ak
from albert_keras.evaluation.parity import random_inputs
from tests.formats import NO_KERAS_HUB

pytestmark = pytest.mark.heavy

keras_hub = pytest.importorskip("keras_hub", reason=NO_KERAS_HUB)

SMALL = dict(
    vocabulary_size=40,
    num_layers=4,
    num_heads=2,
    num_groups=2,
    num_inner_repetitions=2,
    embedding_dim=6,
    hidden_dim=8,
    intermediate_dim=12,
    max_sequence_length=16,
)
BASE = dict(
    vocabulary_size=30000,
    num_layers=12,
    num_heads=12,
    embedding_dim=128,
    hidden_dim=768,
    intermediate_dim=3072,
)
SIZES = {"small": (SMALL, 0.4), "base": (BASE, 0.02)}
EACH_SIZE = ["small", pytest.param("base", marks=pytest.mark.slow)]


def randomize(model, scale):
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        noise = rng.normal(0, scale, variable.shape)
        variable.assign(noise + variable.path.endswith("gamma"))
    return model


def real(array, inputs):
    return np.asarray(array)[inputs["padding_mask"].astype(bool)]


def assert_same(mine, theirs):
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def assert_same_backbone(ours, theirs, inputs):
    mine, other = (
        ours(inputs),
        theirs({k: v for k, v in inputs.items() if k != "mask_positions"}),
    )
    assert_same(
        real(mine["sequence_output"], inputs),
        real(other["sequence_output"], inputs),
    )
    assert_same(mine["pooled_output"], other["pooled_output"])


@pytest.mark.parametrize("size", EACH_SIZE)
def test_a_backbone_computes_the_same_in_ours_and_back_in_theirs(
    size, tmp_path
):
    values, scale = SIZES[size]
    theirs = randomize(keras_hub.models.AlbertBackbone(**values), scale)
    theirs.save_to_preset(str(tmp_path / "theirs"))
    ours = ak.AlbertBackbone.from_pretrained(tmp_path / "theirs")
    inputs = random_inputs(ours.config)
    assert_same_backbone(ours, theirs, inputs)

    ours.save_pretrained(tmp_path / "ours", format="keras_hub")
    again = keras_hub.models.AlbertBackbone.from_preset(str(tmp_path / "ours"))
    for one, other in zip(again.variables, theirs.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), one.path)


@pytest.mark.parametrize("size", EACH_SIZE)
@pytest.mark.slow
def test_a_masked_lm_computes_the_same_in_ours_and_back_in_theirs(
    size, tmp_path
):
    values, scale = SIZES[size]
    backbone = keras_hub.models.AlbertBackbone(**values)
    theirs = keras_hub.models.AlbertMaskedLM(backbone)
    randomize(theirs, scale).save_to_preset(str(tmp_path / "theirs"))
    ours = ak.AlbertForMaskedLM.from_pretrained(tmp_path / "theirs")
    inputs = random_inputs(ours.config)
    assert_same(ours(inputs)["mlm_logits"], theirs(inputs))

    ours.save_pretrained(tmp_path / "ours", format="keras_hub")
    again = keras_hub.models.AlbertMaskedLM.from_preset(
        str(tmp_path / "ours"), preprocessor=None
    )
    assert_same(ours(inputs)["mlm_logits"], again(inputs))


@pytest.mark.slow
def test_a_classifier_computes_the_same_in_ours_and_back_in_theirs(tmp_path):
    theirs = keras_hub.models.AlbertTextClassifier(
        keras_hub.models.AlbertBackbone(**SMALL), num_classes=3, dropout=0.2
    )
    randomize(theirs, 0.4).save_to_preset(str(tmp_path / "theirs"))
    ours = ak.load_model(tmp_path / "theirs")
    assert (ours.num_classes, ours.dropout) == (3, 0.2)
    inputs = random_inputs(ours.config)
    own = {k: v for k, v in inputs.items() if k != "mask_positions"}
    assert_same(ours(own)["logits"], theirs(own))
    ours.save_pretrained(tmp_path / "ours", format="keras_hub")
    again = keras_hub.models.AlbertTextClassifier.from_preset(
        str(tmp_path / "ours"), preprocessor=None
    )
    assert_same(ours(own)["logits"], again(own))


@pytest.mark.slow
def test_the_epsilon_of_kerashubs_head_goes_along_or_is_told(tmp_path, caplog):
    model = ak.AlbertForMaskedLM(ak.AlbertBackbone(**SMALL))
    model.save_pretrained(tmp_path / "hub", format="keras_hub")
    assert "head_epsilon" in caplog.text
    loaded = ak.AlbertForMaskedLM.from_pretrained(tmp_path / "hub")
    assert loaded.mlm_head.layer_norm.epsilon == 1e-5
    caplog.clear()
    loaded.save_pretrained(tmp_path / "again", format="keras_hub")
    loaded.save_pretrained(tmp_path / "own")
    assert not caplog.records
    own = ak.AlbertForMaskedLM.from_pretrained(tmp_path / "own")
    assert own.head_epsilon == 1e-5
    loaded.save_pretrained(tmp_path / "google", format="google")
    assert "head_epsilon" in caplog.text


# KerasHub does not close the vocabulary file.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_preset_of_theirs_with_a_vocabulary_gives_the_tokenizer(
    store, tmp_path, monkeypatch
):
    tokenizer = store.tokenizer
    model = ak.AlbertBackbone(
        **{**SMALL, "vocabulary_size": tokenizer.vocabulary_size}
    )
    model.save_pretrained(tmp_path, format="keras_hub", tokenizer=tokenizer)
    monkeypatch.setattr(
        sentencepiece.SentencePieceProcessor,
        "Init",  # KerasHub calls the name used up to sentencepiece 0.2.1
        lambda self, model_proto, **kwargs: self.__init__(
            model_proto=model_proto
        ),
        raising=False,
    )
    monkeypatch.setattr(
        sentencepiece.SentencePieceProcessor,
        "IdToPiece",
        sentencepiece.SentencePieceProcessor.id_to_piece,
        raising=False,
    )
    theirs = keras_hub.models.AlbertTokenizer.from_preset(str(tmp_path))
    assert theirs.vocabulary_size() == tokenizer.vocabulary_size
    ours = ak.AlbertTokenizer.from_pretrained(tmp_path)
    assert ours.model_proto == tokenizer.model_proto


def test_what_kerashub_cannot_compute_is_refused(tmp_path):
    for changed in ({"activation": "gelu"}, {"layer_norm_epsilon": 1e-6}):
        model = ak.AlbertBackbone(**SMALL, **changed)
        with pytest.raises(ValueError, match="KerasHub's ALBERT"):
            model.save_pretrained(tmp_path / "hub", format="keras_hub")
    assert not (tmp_path / "hub").exists()


def test_a_preset_that_lacks_its_head_is_refused(tmp_path):
    backbone = ak.AlbertBackbone(**SMALL)
    model = ak.AlbertForSequenceClassification(backbone, num_classes=3)
    model.save_pretrained(tmp_path, format="keras_hub")
    (tmp_path / "task.weights.h5").unlink()
    with pytest.raises(ValueError, match="task.weights.h5 is missing: the hea"):
        ak.load_model(tmp_path)
    (tmp_path / "task.json").unlink()
    assert isinstance(ak.load_model(tmp_path), ak.AlbertBackbone)


def test_another_architecture_is_refused(tmp_path):
    keras_hub.models.BertBackbone(
        vocabulary_size=40,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
    ).save_to_preset(str(tmp_path))
    with pytest.raises(ValueError, match="`class_name` is 'BertBackbone'"):
        ak.AlbertBackbone.from_pretrained(tmp_path)
