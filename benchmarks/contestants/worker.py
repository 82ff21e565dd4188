"""Runs one contestant on request, so that several can take turns.

    python worker.py CONTESTANT TASK '{"size": "base", ...}'

Prints a line of JSON when it is ready, after a first run, which compiles. For
every number N on standard input it then runs N times and prints the seconds
of each run and its peak memory.
"""

import importlib
import json
import resource
import sys
import time
from pathlib import Path


def main():
    contestant, task, options = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).parent))
    module = importlib.import_module(contestant)
    run = getattr(module, task)(json.loads(options))
    start = time.perf_counter()
    run()
    reply(first_seconds=time.perf_counter() - start, versions=versions())
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        reply(seconds=seconds, peak_bytes=peak)


def reply(**values):
    print(json.dumps(values), flush=True)


def versions():
    """Versions of the libraries that the contestant has loaded."""
    names = ("tensorflow", "keras", "keras_hub", "torch", "transformers")
    loaded = (sys.modules.get(name) for name in names)
    return {m.__name__: m.__version__ for m in loaded if m is not None}


if __name__ == "__main__":
    main()
