"""The report shows the contents of a run directory, and is safe to open."""

import base64
import csv
import json
import re
import shutil
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.data import PretrainingDataset
from albert_keras.reporting.held_out_examples import fill_held_out
from albert_keras.reporting.recorded_run import RecordedRun
from tests.browser import bands, screenshot

PANELS = [
    "loss",
    "mlm_loss",
    "mlm_accuracy",
    "sop_loss",
    "sop_accuracy",
    "learning_rate",
    "gradient_norm",
    "weight_norm",
    "tokens_per_second",
]


class Page(HTMLParser):
    """Parses the parts of a page that the tests check."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.images, self.figures = [], {}, []
        self.text = ""
        self.table, self.row = {}, None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag == "figure":
            self.figures.append(attributes["id"])
        if tag == "img":
            self.images[self.figures[-1]] = attributes["src"]
        if tag == "tr":
            self.row = []
        if tag in ("td", "th") and self.row is not None:
            self.row.append("")

    def handle_data(self, data):
        self.text += data
        if self.row:
            self.row[-1] += data

    def handle_endtag(self, tag):
        if tag == "tr" and self.row:
            name, *cells = (" ".join(cell.split()) for cell in self.row)
            self.table.setdefault(name, cells)


@pytest.fixture
def run(pretraining_run, tmp_path):
    """A copy of the shared run directory."""
    return shutil.copytree(pretraining_run, tmp_path / "run")


@pytest.fixture
def report(recipe):
    def write(*argv):
        return recipe("report").main([str(word) for word in argv])

    return write


def test_a_page_has_the_curves_figures_settings_and_versions(run, report):
    page = Page(report(run))
    assert page.figures == PANELS
    for source in page.images.values():
        kind, _, data = source.partition(",")
        assert kind == "data:image/svg+xml;base64"
        root = ElementTree.fromstring(base64.b64decode(data))
        assert root.tag.endswith("svg")
        assert len(root.findall(".//{*}path")) > 10
    with open(run / "metrics.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    loss = float(last["val_mlm_loss"])
    shown = page.table["Masked-LM loss (nats), validation"][0]
    assert float(shown.split()[0]) == pytest.approx(loss, rel=1e-3)
    norm = page.table["Gradient norm, before clipping"][0]
    assert norm.split()[0] == f"{float(last['gradient_norm']):.4g}"
    assert page.table["Updates"] == ["12 of 12"]
    assert page.table["batch_size"] == ["8"]
    assert page.table["pretrained"] == ["–"]
    assert f"albert-keras {ak.__version__}" in page.text
    assert "dashed: unigram entropy" in page.text


def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing(run, report):
    page = Page(report(run))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "form"}
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action"):
            assert attributes.get(name, "data:").startswith("data:"), tag
        assert not [name for name in attributes if name.startswith("on")]
    text = (run / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import", text)


def test_what_comes_from_files_is_text_and_nothing_else(run, report):
    evil = '<img src=x onerror="alert(1)">&$a_$'
    run = run.rename(run.parent / 'a<b onclick="x">$_&')
    settings = run / "settings.yaml"
    lines = settings.read_text().splitlines()
    lines = [
        f"name: {json.dumps(evil)}" if line.startswith("name:") else line
        for line in lines
    ]
    settings.write_text("\n".join([*lines, "<u>: 1"]) + "\n")
    metrics = run / "metrics.csv"
    with metrics.open(newline="") as file:
        rows = list(csv.reader(file))
    quoted = '"><script>alert(2)</script>'
    rows = [[*row, quoted if n == 0 else n] for n, row in enumerate(rows)]
    with metrics.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (run / "eval_metrics.json").write_text(json.dumps({evil: evil}))
    starts = json.loads((run / "starts.json").read_text())
    starts[0]["versions"][evil] = evil
    (run / "starts.json").write_text(json.dumps(starts))

    page = Page(report(run))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "b", "u"}
    assert sum(tag == "img" for tag, _ in page.tags) == len(PANELS) + 1
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
    assert page.table["name"] == [evil]
    assert page.table[evil] == [evil]
    assert page.table["<u>"] == ["1"]
    assert quoted in page.figures
    assert run.name in page.text


def test_runs_are_compared_in_the_same_figures(run, report):
    other = shutil.copytree(run, run.parent / "other")
    settings = other / "settings.yaml"
    settings.write_text(settings.read_text().replace("seed: 42", "seed: 7"))
    page = Page(report(run, other, "--output_file", run.parent / "both.html"))
    assert page.figures == PANELS
    svg = base64.b64decode(page.images["mlm_loss"].partition(",")[2])
    for color in (b"#0072b2", b"#d55e00"):
        assert color in svg
    differing = page.text[page.text.index("Different settings:") :]
    differing = differing[: differing.index("Shared settings")]
    words = differing.split()
    assert words[2:] == [str(run), str(other), "seed", "42", "7"]
    assert page.table["seed"] == ["42", "7"]


def test_examples_are_what_the_model_says_of_the_held_out_text(
    run, store, report
):
    dataset = PretrainingDataset(
        store, 32, 8, split="validation", seed=43, num_steps=2
    )
    model = ak.AlbertForPretraining.from_pretrained(run)
    examples = fill_held_out(model, dataset, 3, top=2)
    inputs, labels, weights = dataset[0]
    outputs = model({name: values[:3] for name, values in inputs.items()})
    logits = np.asarray(outputs["mlm_logits"])
    for row, example in enumerate(examples):
        asked = [piece for piece in example.pieces if piece.fills]
        real = np.flatnonzero(weights["mlm"][row])
        order = np.argsort(inputs["mask_positions"][row][real])
        assert len(asked) == len(real)
        for piece, slot in zip(asked, real[order], strict=True):
            values = np.exp(logits[row, slot].astype("float64"))
            best = store.tokenizer.id_to_piece(int(values.argmax()))
            assert piece.fills[0].piece == best.replace("▁", " ")
            assert piece.fills[0].probability == pytest.approx(
                values.max() / values.sum(), rel=1e-4
            )
            label = int(labels["mlm"][row, slot])
            truth = store.tokenizer.id_to_piece(label)
            assert piece.text == truth.replace("▁", " ")
            assert piece.is_right == (values.argmax() == label)
        assert example.is_swapped == bool(labels["sop"][row])
    page = report(run, "--examples", 3).read_text(encoding="utf-8")
    assert page.count('<div class="example">') == 3
    pieces = [p for example in examples for p in example.pieces if p.fills]
    assert page.count('title="') == len(pieces)


@pytest.mark.slow
def test_what_is_not_there_any_more_is_said_and_the_rest_is_shown(
    run, report, capsys
):
    shutil.rmtree(run / "checkpoints")
    (run / "starts.json").unlink()
    page = Page(report(run))
    assert page.figures == PANELS
    assert "There is no checkpoint in" in page.text
    assert "Not recorded." in page.text
    settings = run / "settings.yaml"
    moved = settings.read_text().replace("/corpus", "/gone")
    settings.write_text(moved)
    page = Page(report(run))
    assert "is not a prepared corpus" in page.text
    assert "unigram entropy" not in page.text
    assert "is not a prepared corpus" in capsys.readouterr().out


def test_a_fine_tuning_run_shows_its_scores(tmp_path, report):
    (tmp_path / "settings.yaml").write_text('pretrained: "runs/tiny"\n')
    (tmp_path / "metrics.csv").write_text(
        "step,loss,learning_rate,val_f1,val_exact\n2,1.5,0.1,,\n"
        "4,1.25,0.05,40,30\n6,1.125,0,38,30\n"
    )
    (tmp_path / "eval_metrics.json").write_text('{"f1": 38, "exact": 30}')
    page = Page(report(tmp_path))
    assert page.figures == ["loss", "learning_rate", "exact", "f1"]
    assert page.table["f1, validation"] == ["38 best 40 at update 4"]
    assert page.table["exact, validation"] == ["30 best"]
    assert page.table["Loss"] == ["1.125 last"]
    assert page.table["exact"] == ["30"]
    assert "Fine-tuning, 6 updates" in " ".join(page.text.split())
    assert not RecordedRun.read(tmp_path).is_pretraining


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (None, None, "is not the directory of a run"),
        ("metrics.csv", "", "has no rows yet"),
        ("metrics.csv", "loss\n1\n", "metrics.csv is damaged"),
        ("metrics.csv", "step,loss\n1,x\n", "metrics.csv is damaged"),
        ("starts.json", "[1]", "starts.json is damaged"),
        ("settings.yaml", "seed", "settings.yaml is damaged"),
        ("eval_metrics.json", "{", "eval_metrics.json is damaged"),
    ],
)
def test_a_directory_that_holds_no_run_is_refused(
    tmp_path, report, name, text, message
):
    if name:
        (tmp_path / "settings.yaml").write_text("seed: 1\n")
        (tmp_path / "metrics.csv").write_text("step,loss\n1,2\n")
        (tmp_path / name).write_text(text)
    with pytest.raises(SystemExit, match=message):
        report(tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    "width", [1280, pytest.param(390, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_a_browser_shows_every_figure(run, report, tmp_path, width):
    pixels = screenshot(report(run), tmp_path / "page.png", width, 6000)
    blue = pixels[..., 2] - pixels[..., 0] > 60  # only the curves
    if width == 390:  # one figure below the other
        assert bands(blue.any(axis=1), gap=40) == len(PANELS)
    else:  # two side by side
        halves = blue[:, : width // 2], blue[:, width // 2 :]
        shown = [bands(half.any(axis=1), gap=40) for half in halves]
        assert shown == [5, 4]
