"""Ranks of a training job: start, collectives, devices and failures.

Horovod connects the processes; Keras's distribution holds the devices.

A single process is rank 0 of 1 and needs no Horovod; collectives then return
their input. `horovod.tensorflow.keras` is not used, because it is written for
Keras 2 (horovod/horovod#4290).
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import keras

# Where launchers put the number of processes: horovodrun, Open MPI, MPICH.
_SIZE_VARIABLES = ("HOROVOD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
# The job ends when a collective has waited this long for a rank: long enough
# for the first rank to write a checkpoint of xxlarge.
_STALL_SECONDS = "1800"

_horovod: Any = None


def initialize() -> None:
    """Joins the processes that a launcher started into one job.

    Pins one GPU to each process; without GPUs, the processes of a host share
    its cores. Call it before anything is computed. A single process has
    nothing to join; on the JAX backend it splits its batches over all of
    JAX's devices, see `devices`.

    Raises:
        ValueError: If the launcher started several processes and Horovod is
            not installed or was not built for this launcher, or if Keras's
            backend is not TensorFlow.
    """
    global _horovod
    launched = _launched_size()
    if launched == 1:
        _split_batches_over_devices()
    if _horovod is not None or launched == 1:
        return
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            "Horovod requires Keras's TensorFlow backend. Received: "
            f"{launched} processes on {keras.config.backend()!r}. Unset "
            "KERAS_BACKEND, or start one process, which on JAX trains on all "
            "devices of the machine."
        )
    try:
        import horovod.tensorflow as horovod
    except ImportError as error:
        raise ValueError(
            f"{launched} processes were started, which requires Horovod. "
            "Install it as described in docs/distributed.md, or start one "
            "process."
        ) from error
    os.environ.setdefault("HOROVOD_STALL_SHUTDOWN_TIME_SECONDS", _STALL_SECONDS)
    horovod.init()
    if horovod.size() != launched:
        raise ValueError(
            f"The launcher started {launched} processes, but Horovod joined "
            f"{horovod.size()}: it was built without the launcher's "
            "transport. Build Horovod with MPI, or use horovodrun --gloo."
        )
    _horovod = horovod
    _assign_devices()
    sys.excepthook = _end_job


def rank() -> int:
    """Index of this process in the job, from 0."""
    return _horovod.rank() if _horovod else 0


def size() -> int:
    """Number of processes in the job."""
    return _horovod.size() if _horovod else 1


def local_rank() -> int:
    """Index of this process on its host, from 0."""
    return _horovod.local_rank() if _horovod else 0


def devices() -> int:
    """Number of devices that share the rows of this process's batches.

    The size of Keras's distribution, which `initialize` sets on the JAX
    backend; 1 without a distribution.
    """
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.shape[0]


def replicas() -> int:
    """Number of devices that share the rows of an update, over all ranks."""
    return size() * devices()


# === Collectives inside the training step ===


def sum_over_ranks(structure):
    """Sums float tensors over all ranks in one grouped all-reduce.

    Not for functions that XLA compiles.

    Args:
        structure: Nested structure of tensors.

    Returns:
        The same structure with the sums.
    """
    if size() == 1:
        return structure
    import tensorflow as tf

    tensors = tf.nest.flatten(structure)
    sums = _horovod.grouped_allreduce(tensors, op=_horovod.Sum)
    return tf.nest.pack_sequence_as(structure, sums)


# === Collectives outside the step ===


def broadcast_variables(variables):
    """Assigns the first rank's values to Keras variables on every rank."""
    if size() == 1:
        return
    floats = [v for v in variables if "float" in str(v.dtype)]
    _horovod.broadcast_variables([v.value for v in floats], root_rank=0)
    # Random states are unsigned integers, which Horovod does not support.
    others = [v for v in variables if "float" not in str(v.dtype)]
    values = broadcast_object([keras.ops.convert_to_numpy(v) for v in others])
    for variable, value in zip(others, values, strict=True):
        variable.assign(value)


def broadcast_object(value: Any) -> Any:
    """Returns the first rank's value on every rank; it must be picklable."""
    if size() == 1:
        return value
    return _horovod.broadcast_object(value, root_rank=0)


def gather_objects(value: Any) -> list:
    """Returns the values of all ranks in order; they must be picklable."""
    if size() == 1:
        return [value]
    return _horovod.allgather_object(value)


def sum_numbers(numbers: Iterable[float]) -> list[float]:
    """Sums each number of a list over all ranks, in float64."""
    if size() == 1:
        return list(numbers)
    import tensorflow as tf

    summed = _horovod.allreduce(
        tf.constant(list(numbers), "float64"), op=_horovod.Sum
    )
    return summed.numpy().tolist()


def barrier() -> None:
    """Waits until every rank has called it."""
    sum_numbers([0.0])


def on_first_rank(function: Callable[[], Any]) -> Any:
    """Calls a function on rank 0 and returns its result on every rank.

    If it raises a `ValueError`, every rank raises it.
    """
    if size() == 1:
        return function()
    result = error = None
    if rank() == 0:
        try:
            result = function()
        except ValueError as raised:
            error = str(raised)
    result, error = broadcast_object((result, error))
    if error is not None:
        raise ValueError(error)
    return result


def first_rank_first(function: Callable[[], Any]) -> Any:
    """Calls a function on rank 0 and then on all other ranks.

    For functions that fill a cache on the first call. If rank 0 raises a
    `ValueError`, every rank raises it. Returns each rank's own result.
    """
    results = []
    on_first_rank(lambda: results.append(function()))
    return results[0] if results else function()


def say(text: str) -> None:
    """Prints on the first rank only."""
    if rank() == 0:
        print(text, flush=True)


def end_job(message: str) -> NoReturn:
    """Ends this process with a message, and with it the whole job.

    For an error that only this rank has: the launcher ends the others, which
    would wait for it.
    """
    if size() == 1:
        raise SystemExit(message)
    sys.stdout.flush()
    sys.stderr.write(f"{message.rstrip()}\n")
    sys.stderr.flush()
    os._exit(1)


# === Start and failure ===


def _launched_size():
    for name in _SIZE_VARIABLES:
        if os.environ.get(name):
            return int(os.environ[name])
    return 1


def _split_batches_over_devices():
    """Sets a data-parallel distribution if JAX has several devices."""
    if keras.config.backend() != "jax" or keras.distribution.distribution():
        return
    names = keras.distribution.list_devices()
    if len(names) > 1:
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(devices=names)
        )
        say(f"{len(names)} devices share each batch: {', '.join(names)}.")


def _assign_devices():
    """Gives this process one GPU, or its share of the host's cores."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if local_rank() >= len(gpus):
            raise ValueError(
                f"Rank {rank()} is process {local_rank() + 1} on its host, "
                f"which has {len(gpus)} GPUs. Start at most one process per "
                "GPU."
            )
        gpu = gpus[local_rank()]
        tf.config.set_visible_devices(gpu, "GPU")
        tf.config.experimental.set_memory_growth(gpu, True)
    elif "TF_NUM_INTRAOP_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0))
        tf.config.threading.set_intra_op_parallelism_threads(
            max(1, cores // _horovod.local_size())
        )


def _end_job(kind, error, trace):
    """Prints the rank and the traceback and ends the process at once.

    The launcher then ends the other ranks; a normal exit could hang.
    """
    lines = traceback.format_exception(kind, error, trace)
    end_job(f"Rank {rank()} of {size()} failed:\n{''.join(lines)}")
