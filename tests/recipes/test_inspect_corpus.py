"""Inspection shows correct statistics and every predicted token."""

import re

from albert_keras.data import PretrainingDataset


def test_statistics_figure_and_samples(recipe, corpus, store, tmp_path, capsys):
    figure = tmp_path / "lengths.png"
    recipe("inspect_corpus").main(
        [
            *("--data_dir", str(corpus), "--figure", str(figure)),
            *("--max_seq_length", "32", "--samples", "4", "--verify"),
        ]
    )
    shown = capsys.readouterr().out
    assert "All checksums match." in shown
    assert f"{store.manifest['num_tokens']:,} tokens" in shown
    assert re.search(r"1[45]\.\d% of the text predicted \((79|80)\.\d% ", shown)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "\x1b[" not in shown

    dataset = PretrainingDataset(store, 32, 32, seed=42)
    inputs, labels, weights = dataset[0]
    samples = re.findall(r"^\((in order|swapped)\)(.*)$", shown, re.M)
    assert len(samples) == 4
    for row, (order, text) in enumerate(samples):
        assert (order == "swapped") == bool(labels["sop"][row])
        marked = len(re.findall(r"\[MASK:|\[was:|\[kept\]", text))
        assert marked == weights["mlm"][row].sum()
        assert text.count("[SEP]") == 2


def test_colours_mark_segments_and_masks(recipe, store):
    module = recipe("inspect_corpus")
    batch = PretrainingDataset(store, 32, 8)[0]
    text = module.sample(batch, 0, store.tokenizer, color=True)
    for name in ("first", "second", "special", "mask"):
        assert module.COLORS[name] in text
