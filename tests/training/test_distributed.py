"""A single process, and launches that are refused."""

import builtins

import pytest

from albert_keras.training import distributed
from tests.processes import run_python


@pytest.mark.process
def test_a_process_by_itself_is_rank_0_of_1_and_needs_no_horovod():
    program = (
        "import sys; from albert_keras.training import distributed as d; "
        "d.initialize(); "
        "print(d.rank(), d.size(), d.local_rank(), d.sum_numbers([1.5, 2]), "
        "d.broadcast_object('x'), d.on_first_rank(lambda: 7), "
        "d.sum_over_ranks({'a': 3}), d.barrier(), 'horovod' in sys.modules)"
    )
    output = run_python("-c", program)
    assert output.strip() == "0 1 0 [1.5, 2] x 7 {'a': 3} None False"


@pytest.mark.parametrize("variable", ["HOROVOD_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_several_processes_without_horovod_are_refused(monkeypatch, variable):
    real_import = builtins.__import__

    def without_horovod(name, *args, **kwargs):
        if name.startswith("horovod"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setenv(variable, "2")
    monkeypatch.setattr(builtins, "__import__", without_horovod)
    with pytest.raises(ValueError, match="2 processes were started.*Horovod"):
        distributed.initialize()


def test_horovod_on_another_backend_than_tensorflow_is_refused(monkeypatch):
    monkeypatch.setenv("HOROVOD_SIZE", "2")
    monkeypatch.setattr(distributed.keras.config, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="2 processes on 'jax'"):
        distributed.initialize()


def test_an_error_on_the_first_rank_is_raised_as_it_is():
    def fail():
        raise ValueError("no such corpus")

    with pytest.raises(ValueError, match="no such corpus"):
        distributed.on_first_rank(fail)
