"""The choice of kernels, across threads, exports and exceptions."""

import contextvars
import dataclasses
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import albert_keras as ak
from albert_keras import kernels
from albert_keras.kernels import (
    can_fuse,
    choose_kernels,
    fused_kernels,
    kernels_for_classes,
    lamb_kernel,
    plain_kernels,
    reference,
)
from albert_keras.layers import (
    cross_layer_sharing,
    self_attention,
    transformer_block,
)

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not can_fuse(),
        reason="Fused kernels need TensorFlow on a CPU and a C++ compiler.",
    ),
]


@pytest.fixture
def inputs(rng):
    padding_mask = np.ones((4, 8), "int32")
    padding_mask[1:, 5:] = 0
    return {
        "token_ids": rng.integers(5, 50, (4, 8), "int32"),
        "segment_ids": np.zeros((4, 8), "int32"),
        "padding_mask": padding_mask,
    }


def make_classifier(config, **changes):
    config = dataclasses.replace(config, **changes)
    return ak.AlbertForSequenceClassification(
        ak.AlbertBackbone.from_config(config), num_classes=3
    )


def start_together(*functions):
    """Calls each function in its own thread, all at the same time."""
    barrier = threading.Barrier(len(functions))

    def run(function):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def exported_operations(model, directory):
    """Exports the model and returns the types of all its operations."""
    from tensorflow.core.protobuf import saved_model_pb2

    model.export(directory, verbose=False)
    saved = saved_model_pb2.SavedModel.FromString(
        (directory / "saved_model.pb").read_bytes()
    )
    graph = saved.meta_graphs[0].graph_def
    nodes = [
        *graph.node,
        *(node for f in graph.library.function for node in f.node_def),
    ]
    return {node.op for node in nodes}


def fused(operations):
    return sorted(name for name in operations if name.startswith("Albert"))


@pytest.mark.slow
def test_first_predictions_in_two_threads_are_those_of_plain_kernels(
    tiny_config, inputs
):
    """The shallow model is traced while the deep one still is."""
    for _ in range(3):  # a race may go well by chance
        models = [make_classifier(tiny_config, num_layers=n) for n in (1, 6)]
        outputs = start_together(
            *(lambda m=m: m.predict(inputs, verbose=0) for m in models)
        )
        for model, output in zip(models, outputs, strict=True):
            with plain_kernels():
                again = model.from_config(model.get_config())  # traced anew
                again.set_weights(model.get_weights())
                expected = again.predict(inputs, verbose=0)
            np.testing.assert_allclose(
                output["logits"], expected["logits"], rtol=0, atol=1e-5
            )
        assert choose_kernels("float32") is reference


@pytest.mark.slow
def test_an_export_after_predictions_in_threads_holds_tensorflows_operations(
    tiny_config, inputs, tmp_path
):
    models = [make_classifier(tiny_config, num_layers=n) for n in (1, 6)]
    start_together(*(lambda m=m: m.predict(inputs, verbose=0) for m in models))
    with fused_kernels():
        for name, model in (
            ("predicted", models[0]),
            ("new", make_classifier(tiny_config)),
        ):
            operations = exported_operations(model, tmp_path / name)
            assert "MatMul" in operations
            assert not fused(operations)


def test_the_encoder_asks_once_and_hands_the_kernels_down(
    tiny_config, inputs, monkeypatch, calls_of
):
    calls = calls_of(cross_layer_sharing, "choose_kernels")
    for module in (transformer_block, self_attention):
        monkeypatch.setattr(module, "choose_kernels", None)
    backbone = ak.AlbertBackbone.from_config(tiny_config)
    for training in (True, False):
        backbone(inputs, training=training)
    assert len(calls) == 2


def test_lambs_kernel_is_used_only_where_it_is_asked_for():
    assert lamb_kernel() is None
    with fused_kernels():
        assert lamb_kernel() is not None
    with plain_kernels(), fused_kernels():
        assert lamb_kernel() is None


def test_a_choice_holds_in_its_own_thread_alone():
    is_inside, is_asked = threading.Event(), threading.Event()

    def choose():
        with fused_kernels():
            is_inside.set()
            assert is_asked.wait(timeout=60)
            return choose_kernels("float32")

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(choose)
        assert is_inside.wait(timeout=60)
        here = choose_kernels("float32")
        is_asked.set()
        assert other.result() is kernels.tensorflow_cpu
    assert here is reference
    assert choose_kernels("float32") is reference


@pytest.mark.parametrize("context", [plain_kernels, fused_kernels])
def test_an_exception_restores_the_choice(context):
    def choice():
        with fused_kernels():
            inside = choose_kernels("float32")
        return inside, kernels_for_classes(5000, "float32"), lamb_kernel()

    before = choice()
    with pytest.raises(ZeroDivisionError), context():
        assert choice() != before
        with pytest.raises(KeyError), plain_kernels():
            raise KeyError
        raise ZeroDivisionError
    assert choice() == before


def test_the_module_holds_no_choice_but_the_context_variable():
    with fused_kernels():
        choose_kernels("float32")  # imports the fused kernels
    values = {
        name: value
        for name, value in vars(kernels).items()
        if not name.startswith("__")
    }
    with plain_kernels(), fused_kernels():
        assert {name: vars(kernels)[name] for name in values} == values
    state = [
        value
        for value in values.values()
        if not isinstance(value, int | tuple | types.ModuleType)
        and not callable(value)
    ]
    assert [type(value) for value in state] == [contextvars.ContextVar]
