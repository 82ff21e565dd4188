"""This process among the processes of a job, and its devices.

Processes speak through Horovod's tensors; devices are Keras's.

One process is rank 0 of 1, needs no Horovod, and every function here leaves
what it is given as it is. `horovod.tensorflow.keras` is not used: it is
written for Keras 2 (horovod/horovod#4290).
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import keras

# How launchers tell the number of processes: horovodrun, Open MPI, MPICH.
_LAUNCHED_SIZES = ("HOROVOD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
# A rank that has not come to a collective for so long ends the job; long
# enough for the first rank to write a checkpoint of xxlarge.
_STALL_SECONDS = "1800"

_horovod: Any = None


def initialize() -> None:
    """Joins the processes of the job, which a launcher started.

    Pins one GPU to each process, and shares the cores of a host among its
    processes where there is none. Call it before anything is computed. A
    process by itself has nothing to join; on the JAX backend it shares its
    batches out among all devices that JAX has, see `devices`.

    Raises:
        ValueError: If the launcher started several processes and Horovod is
            not installed or was not built for this launcher, or Keras runs
            on another backend than TensorFlow.
    """
    global _horovod
    launched = _launched_size()
    if launched == 1:
        _share_out_batches()
    if _horovod is not None or launched == 1:
        return
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            "Horovod trains on Keras's TensorFlow backend. Received: "
            f"{launched} processes on {keras.config.backend()!r}. Unset "
            "KERAS_BACKEND, or start one process, which under JAX trains on "
            "all devices of the machine."
        )
    try:
        import horovod.tensorflow as horovod
    except ImportError as error:
        raise ValueError(
            f"{launched} processes were started, which needs Horovod. "
            "Install it as docs/distributed.md says, or start one "
            "process."
        ) from error
    os.environ.setdefault("HOROVOD_STALL_SHUTDOWN_TIME_SECONDS", _STALL_SECONDS)
    horovod.init()
    if horovod.size() != launched:
        raise ValueError(
            f"The launcher started {launched} processes, of which Horovod "
            f"joined {horovod.size()}. It was built without the launcher's "
            "transport: build Horovod with MPI, or use horovodrun --gloo."
        )
    _horovod = horovod
    _take_devices()
    sys.excepthook = _end_job


def rank() -> int:
    """Number of this process in the job, from 0."""
    return _horovod.rank() if _horovod else 0


def size() -> int:
    """Number of processes in the job."""
    return _horovod.size() if _horovod else 1


def local_rank() -> int:
    """Number of this process on its host, from 0."""
    return _horovod.local_rank() if _horovod else 0


def devices() -> int:
    """Devices that share the rows of each batch of this process.

    As many as Keras's distribution has, which `initialize` sets on the JAX
    backend; 1 without one.
    """
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.shape[0]


def replicas() -> int:
    """Devices that share the rows of each update, of all ranks."""
    return size() * devices()


# === Inside the step ===


def sum_over_ranks(structure):
    """The sums over all ranks of float tensors, in one grouped all-reduce.

    Args:
        structure: Tensors, nested in any way; not inside of a function that
            XLA compiles.

    Returns:
        The same structure.
    """
    if size() == 1:
        return structure
    import tensorflow as tf

    tensors = tf.nest.flatten(structure)
    sums = _horovod.grouped_allreduce(tensors, op=_horovod.Sum)
    return tf.nest.pack_sequence_as(structure, sums)


# === Outside of it ===


def broadcast_variables(variables):
    """Gives every rank the first rank's values of Keras variables."""
    if size() == 1:
        return
    floats = [v for v in variables if "float" in str(v.dtype)]
    _horovod.broadcast_variables([v.value for v in floats], root_rank=0)
    # Horovod knows no unsigned integers, which random states are.
    others = [v for v in variables if "float" not in str(v.dtype)]
    values = broadcast_object([keras.ops.convert_to_numpy(v) for v in others])
    for variable, value in zip(others, values, strict=True):
        variable.assign(value)


def broadcast_object(value: Any) -> Any:
    """The first rank's value, which must be picklable, on every rank."""
    if size() == 1:
        return value
    return _horovod.broadcast_object(value, root_rank=0)


def gather_objects(value: Any) -> list:
    """The values of all ranks, which must be picklable, in their order."""
    if size() == 1:
        return [value]
    return _horovod.allgather_object(value)


def sum_numbers(numbers: Iterable[float]) -> list[float]:
    """The sums over all ranks of a list of numbers, as floats."""
    if size() == 1:
        return list(numbers)
    import tensorflow as tf

    summed = _horovod.allreduce(
        tf.constant(list(numbers), "float64"), op=_horovod.Sum
    )
    return summed.numpy().tolist()


def barrier() -> None:
    """Waits until every rank is here."""
    sum_numbers([0.0])


def on_first_rank(function: Callable[[], Any]) -> Any:
    """Calls a function on rank 0, and hands its result to every rank.

    A `ValueError` of it is raised on every rank.
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
    """Calls a function on rank 0 and then on all others.

    For what they find in a cache that the first one fills. A `ValueError` of
    the first is raised on every rank. Returns each rank's own result.
    """
    results = []
    on_first_rank(lambda: results.append(function()))
    return results[0] if results else function()


def say(text: str) -> None:
    """Prints, on the first rank only."""
    if rank() == 0:
        print(text, flush=True)


# === Starting and ending ===


def _launched_size():
    for name in _LAUNCHED_SIZES:
        if os.environ.get(name):
            return int(os.environ[name])
    return 1


def _share_out_batches():
    """Puts what is made from now on onto all devices, where JAX has some."""
    if keras.config.backend() != "jax" or keras.distribution.distribution():
        return
    names = keras.distribution.list_devices()
    if len(names) > 1:
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(devices=names)
        )
        say(f"{len(names)} devices share each batch: {', '.join(names)}.")


def _take_devices():
    """One GPU for each process of a host, or its share of the cores."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if local_rank() >= len(gpus):
            raise ValueError(
                f"Rank {rank()} is number {local_rank()} on its host, which "
                f"has {len(gpus)} GPUs. Start as many processes as GPUs."
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
    """Names the rank beside the traceback, and ends the process at once.

    The launcher then ends the others; waiting for them at exit could hang.
    """
    lines = traceback.format_exception(kind, error, trace)
    sys.stdout.flush()
    sys.stderr.write(f"Rank {rank()} of {size()} failed:\n{''.join(lines)}")
    sys.stderr.flush()
    os._exit(1)
