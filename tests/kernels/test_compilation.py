"""The C++ operations are compiled once; without a compiler there are none."""

import logging

import keras
import numpy as np
import pytest

from albert_keras import AlbertBackbone, AlbertForPretraining
from albert_keras.kernels import choose_kernels, fused_kernels, reference
from albert_keras.kernels.tensorflow_cpu import compilation
from tests.batches import Batches, make_batch
from tests.marks import others_slow

pytestmark = pytest.mark.heavy

if keras.config.backend() != "tensorflow":
    pytest.skip("The operations need TensorFlow.", allow_module_level=True)


@pytest.fixture
def commands(monkeypatch):
    """A list that records the commands of the compiler, which still run."""
    commands = []
    run = compilation._output

    def output(command):
        commands.append(command)
        return run(command)

    monkeypatch.setattr(compilation, "_output", output)
    return commands


def test_what_has_been_compiled_is_not_compiled_again(commands):
    if compilation.operations() is None:
        pytest.skip("There is no C++ compiler.")
    first = compilation._library()
    commands.clear()
    assert compilation._library() == first
    (macros,) = commands
    assert "-dM" in macros


def test_another_compiler_or_processor_has_a_library_of_its_own(
    commands, monkeypatch, tmp_path
):
    if compilation.operations() is None:
        pytest.skip("There is no C++ compiler.")
    compiler = tmp_path / "compiler"
    compiler.write_text(
        """#!/bin/sh
        for last; do case $last in -o) is_output=1;; -*) ;;
            *) [ "$is_output" ] && touch "$last"; is_output=;; esac; done
        echo '#define __OF_ANOTHER__ 1'"""
    )
    compiler.chmod(0o755)
    expected = compilation._library()
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = compilation._library()
    assert made.parent == tmp_path / "cache" / "albert_keras"
    assert made.name != expected.name
    assert made.exists()


@pytest.mark.parametrize("fails", others_slow(["missing", "broken"]))
@pytest.mark.slow
def test_without_a_compiler_a_warning_says_so_and_training_is_plain(
    fails, monkeypatch, tmp_path, caplog, tiny_config
):
    compiler = tmp_path / "compiler"
    if fails == "broken":
        compiler.write_text("#!/bin/sh\necho out of order >&2\nexit 3")
        compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    operations = compilation.operations
    operations.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            with fused_kernels():
                assert choose_kernels("float32") is reference
            backbone = AlbertBackbone.from_config(tiny_config)
            model = AlbertForPretraining(backbone)
            model.compile("sgd")
            batch = make_batch(np.random.default_rng(0), tiny_config)
            model.fit(Batches([batch]), verbose=0)
        name = compilation.__name__
        (record,) = (r for r in caplog.records if r.name == name)
        message = record.getMessage()
        assert "reference kernels are used" in message and "g++" in message
        reason = "out of order" if fails == "broken" else str(compiler)
        assert reason in message
    finally:
        operations.cache_clear()
