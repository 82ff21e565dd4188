"""`convert.py` converts between all formats, with a parity check."""

import pytest

import albert_keras as ak
from tests.conversion.test_round_trips import CONFIG


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    directory = tmp_path_factory.mktemp("convert") / "source"
    model = ak.AlbertForPretraining(ak.AlbertBackbone.from_config(CONFIG))
    model.card["license"] = "mit"
    model.save_pretrained(directory, format="google")
    return directory


def convert(recipe, source, target, format):
    return recipe("convert").main(
        ["--from", str(source), "--to", str(target), "--format", format]
    )


@pytest.mark.slow
def test_it_converts_and_prints_how_far_the_outputs_are_apart(
    recipe, source, tmp_path, capsys
):
    for format in ("huggingface", "keras", "google"):
        differences = convert(recipe, source, tmp_path / format, format)
        assert differences == {
            "sequence_output": 0.0,
            "pooled_output": 0.0,
            "mlm_logits": 0.0,
            "sop_logits": 0.0,
        }
        source = tmp_path / format
    shown = capsys.readouterr().out
    assert "AlbertForPretraining with" in shown
    assert "no SentencePiece vocabulary" in shown
    assert "mlm_logits       0.0e+00" in shown


def test_outputs_that_differ_are_told(recipe, source, tmp_path, monkeypatch):
    module = recipe("convert")
    monkeypatch.setattr(
        module, "load_model", lambda path: ak.AlbertBackbone(**CONFIG.to_dict())
    )
    with pytest.raises(SystemExit, match="computes other outputs"):
        module.main(
            ["--from", str(source), "--to", str(tmp_path / "x")]
            + ["--format", "keras"]
        )


def test_bad_input_is_told_in_one_line(recipe, source, tmp_path):
    with pytest.raises(SystemExit, match="convert: .*no such directory"):
        convert(recipe, tmp_path / "missing", tmp_path / "x", "keras")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(SystemExit, match="convert: .*thesis.tex"):
        convert(recipe, source, tmp_path / "full", "keras")
    assert not (tmp_path / "x").exists()
