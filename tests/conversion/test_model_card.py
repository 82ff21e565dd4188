"""The model card has the metadata that hubs read."""

import huggingface_hub
import pytest
import yaml

import albert_keras as ak
from tests.conversion.test_round_trips import CONFIG
from tests.formats import FORMATS_HERE

CARD = {
    "name": "ALBERT of the parish registers",
    "license": "cc-by-4.0",
    "language": ["de", "la"],
    "datasets": ["parish-registers"],
    "data": "Registers of 1650 to 1800: 3 million words.",
    "training": {"learning rate": 0.00176, "updates": 125000},
    "scores": {"SQuAD 2.0 F1": 79.1},
}


@pytest.mark.parametrize("format", FORMATS_HERE)
def test_every_format_comes_with_a_card_that_hubs_can_read(format, tmp_path):
    model = ak.AlbertForMaskedLM(ak.AlbertBackbone.from_config(CONFIG))
    model.card.update(CARD)
    model.save_pretrained(tmp_path / "model", format=format)
    card = huggingface_hub.ModelCard.load(tmp_path / "model" / "README.md")
    data = card.data.to_dict()
    for key in ("license", "language", "datasets"):
        assert data[key] == CARD[key]
    assert data["pipeline_tag"] == "fill-mask"
    assert data["tags"] == ["albert"]
    for text in (
        CARD["name"],
        CARD["data"],
        "| updates | 125000 |",
        "| SQuAD 2.0 F1 | 79.1 |",
        f"{model.count_params():,} parameters",
    ):
        assert text in card.text


def test_what_is_not_known_is_left_out(tmp_path):
    model = ak.AlbertBackbone.from_config(CONFIG)
    model.save_pretrained(tmp_path / "model")
    text = (tmp_path / "model" / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert set(yaml.safe_load(front)) == {"library_name", "tags"}
    assert "## Data" not in body and "## Scores" not in body


def test_the_example_of_a_card_runs(tmp_path, store):
    config = {"vocabulary_size": store.tokenizer.vocabulary_size}
    model = ak.AlbertBackbone.from_size("tiny", **config)
    model.save_pretrained(tmp_path / "model", tokenizer=store.tokenizer)
    text = (tmp_path / "model" / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    names = {}
    exec(code.replace("DIRECTORY", str(tmp_path / "model")), names)
    assert names["model"].count_params() == model.count_params()
    assert names["tokenizer"].vocabulary_size == 150
