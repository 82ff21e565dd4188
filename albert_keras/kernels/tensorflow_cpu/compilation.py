"""Compiles the operations of `csrc/` once per machine and caches them."""

import contextlib
import functools
import hashlib
import logging
import os
import platform
import subprocess
import tempfile
from pathlib import Path

import filelock
import tensorflow as tf

_logger = logging.getLogger(__name__)

_SOURCE = Path(__file__).parent / "csrc"
_FLAGS = [
    "-O3",
    "-march=native",
    "-fopenmp-simd",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fPIC",
    "-shared",
]
if platform.machine() in ("x86_64", "AMD64"):
    # GCC 12 cannot compile the float16 code of TensorFlow 2.21's headers.
    _FLAGS += ["-mprefer-vector-width=512", "-U__AVX512FP16__"]


@functools.cache
def operations():
    """Returns the module of operations, or None if they cannot be compiled.

    A C++ compiler, `CXX` in the environment or `c++`, compiles them in about
    20 seconds the first time. The library is cached in `albert_keras` in the
    user's cache directory (`XDG_CACHE_HOME`, else `~/.cache`), separately for
    each processor, compiler and version of TensorFlow.
    """
    try:
        library = tf.load_op_library(str(_library()))
    except (OSError, subprocess.CalledProcessError, tf.errors.OpError) as e:
        reason = getattr(e, "stderr", None) or str(e)
        _logger.warning(
            "The fused kernels could not be compiled for this processor, so "
            "the reference kernels are used, which are about half as fast. "
            "Install a C++ compiler (g++ 9 or later, or clang) as `c++`, or "
            "name one in the environment variable CXX. Reason: %s",
            reason.strip()[-2000:],
        )
        return None
    _explain_missing_gradients(library)
    return library


def _explain_missing_gradients(library):
    """Makes the gradient of an operation an error that says what to do.

    The kernels have gradients of their own, of the first order; TensorFlow
    asks for those of their operations to differentiate a second time.
    """

    def raise_error(operation, *_):
        raise NotImplementedError(
            "Fused kernels are differentiated once, and not in forward mode. "
            f"Received: another derivative, of {operation.type}. Call the "
            "model outside `fit` and `albert_keras.kernels.fused_kernels()`, "
            "or inside `albert_keras.kernels.plain_kernels()`."
        )

    for name in vars(library):
        if name.startswith("Albert"):
            with contextlib.suppress(KeyError):  # has been loaded before
                tf.RegisterGradient(name)(raise_error)


@functools.cache
def has_no_more_than_avx2():
    """Whether the processor has AVX2 and nothing wider."""
    macros = _macros()
    return "__AVX2__" in macros and "__AVX512F__" not in macros


def _macros():
    """Returns the compiler's predefined macros.

    They name its version and the features of the processor.
    """
    return _output(
        [*_compiler(), "-march=native", "-dM", "-E", "-x", "c++", "-"]
    )


def _compiler():
    return os.environ.get("CXX", "c++").split()


def _library():
    """Compiles the library unless it is cached, and returns its path."""
    compiler = _compiler()
    flags = [*_FLAGS, *tf.sysconfig.get_compile_flags()]
    links = tf.sysconfig.get_link_flags()
    digest = hashlib.sha256(_macros().encode())
    digest.update(repr((tf.version.VERSION, flags, links)).encode())
    for file in sorted(_SOURCE.iterdir()):
        digest.update(file.read_bytes())
    library = _directory() / f"kernels-{digest.hexdigest()[:16]}.so"
    # Ranks on one machine share the cache: one compiles, the others wait.
    with filelock.FileLock(library.with_suffix(".lock")):
        if not library.exists():
            _logger.warning(
                "Compiling kernels for this processor, once; it takes about "
                "20 seconds: %s",
                library,
            )
            part = library.with_suffix(".part")
            unit = str(_SOURCE / "kernels.cc")
            _output([*compiler, *flags, unit, "-o", str(part), *links])
            part.replace(library)
    return library


def _directory():
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(cache) / "albert_keras"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if os.access(directory, os.W_OK):
            return directory
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="albert_keras-"))


def _output(command):
    return subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    ).stdout
