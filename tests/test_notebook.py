"""The notebook runs from top to bottom and shows the promised results."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The outputs of the notebook, run in an empty folder."""
    directory = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(directory)}},
    )
    client.execute()
    return [out for cell in notebook.cells for out in cell.get("outputs", ())]


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs") and not cell.get("execution_count")


@pytest.mark.slow
@pytest.mark.process
def test_it_learns_fills_in_and_classifies(shown):
    text = "".join(out.text for out in shown if "text" in out)
    first, last = re.search(r"loss: ([\d.]+) -> ([\d.]+)", text).groups()
    entropy = re.search(r"unigram entropy: ([\d.]+)", text)[1]
    assert float(last) < float(first)
    assert float(last) < float(entropy)
    assert int(re.search(r"shown: (\d+)%", text)[1]) > 90
    assert len(re.findall(r"[\d.]+%  ", text)) >= 4  # the masks


@pytest.mark.slow
@pytest.mark.process
def test_it_draws_the_curves(shown):
    assert any("image/png" in out.get("data", {}) for out in shown)
