"""Runs the recipes in this process, as their commands would."""

import importlib.util
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def recipe(monkeypatch):
    """A function that loads a recipe by name."""
    monkeypatch.syspath_prepend(str(RECIPES))

    def load(name):
        spec = importlib.util.spec_from_file_location(
            f"recipe_{name}", RECIPES / f"{name}.py"
        )
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load
