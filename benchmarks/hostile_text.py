"""Measures preparation of texts whose cost could grow faster than their size.

    python benchmarks/hostile_text.py --vocabulary 30k-clean.model \
        --megabytes 1 10 100 --files 1000 10000 100000 --json hostile.json

Prepares each text in each size with one worker, in a new process, and then
folders of many files of one word or one sentence. Prints seconds and peak
memory, and for each size compared with the one before: the time per megabyte
or per file, less that of the smallest text, and the memory. From 10 MB or
2,000 files on, which fill more than one shard, the aim is at most 1.3 times the
time and 1.2 times the memory. Times are CPU seconds, which other work on the
machine changes least; the wall-clock time is printed, too.

`compare.py` compares the JSON of two runs.
"""

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

from rounds import run_light

TIME_AIM, MEMORY_AIM = 1.3, 1.2
SHARD = 8  # megabytes
SENTENCE = "This is a sentence of a text without any blank line, as some are."
WORDS = SENTENCE.replace(",", "").replace(".", "").split(" ")
_END = "\n\nThe end.\nIt has two lines.\n"
TEXTS = {
    "blank_lines": SENTENCE + "\n\n",  # for comparison: not hostile
    "no_blank_lines": SENTENCE + "\n",
    "only_blank_lines": "\n" * 64,
    "one_line": SENTENCE + " ",
    "one_word_a_line": "\n".join(WORDS) + "\n",
    "one_word": "word",
    "dots": "." * 64,
    "lines_of_dots": "Contents " + "." * 20_000 + " 12\n",
    "exclamation_marks": "!" * 64,
    "chinese_full_stops": "。" * 64,
}
FILES = {"one_word_a_file": "word\n", "one_sentence_a_file": SENTENCE + "\n"}
FULL_FILES = 2000  # fill more than one shard
SMALLEST = 1e-4  # megabytes
SHORTEST = 0.05  # seconds; differences below are noise

PREPARE = """
import json, sys, time
from albert_keras.data.corpus.prepare import prepare_corpus
def main():
    path, directory, vocabulary = sys.argv[1:]
    start, cpu = time.perf_counter(), time.process_time()
    manifest = prepare_corpus(path, directory, vocabulary, workers=1)
    seconds = time.perf_counter() - start
    with open("/proc/self/status") as status:
        peak = next(int(l.split()[1]) for l in status if l.startswith("VmHWM"))
    print(json.dumps({
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "peak_megabytes": peak / 1e3,
        "documents": manifest["num_documents"],
        "tokens": manifest["num_tokens"],
    }))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--files", type=int, nargs="+", default=[])
    parser.add_argument("--texts", nargs="*", choices=TEXTS, default=[*TEXTS])
    parser.add_argument("--work_dir", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    print(f"{processor()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=options.work_dir) as directory:
        for name in options.texts:
            results += measure(options, name, Path(directory))
        for name in FILES if options.files else ():
            results += measure_files(options, name, Path(directory))
    if options.json:
        document = {
            "processor": processor(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "results": results,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def measure(options, name, directory):
    """Prepares a text in all sizes; returns a result for each."""
    text = directory / "text.txt"

    def prepare_size(megabytes):
        write(text, TEXTS[name], megabytes * 1e6)
        return prepare(options, name, f"{megabytes:g} MB", text)

    sizes = sorted(options.megabytes)
    return compare(prepare_size, SMALLEST, sizes, "megabyte", SHARD)


def measure_files(options, name, directory):
    """Prepares folders of files; returns a result for each number of them."""
    folder = directory / name
    folder.mkdir()
    (folder / "end.txt").write_text(_END)

    def prepare_number(number):
        for n in range(number):
            (folder / f"{n}.txt").write_text(FILES[name])
        return prepare(options, name, f"{number:,} files", folder)

    return compare(prepare_number, 1, sorted(options.files), "file", FULL_FILES)


def compare(prepare_size, smallest, sizes, unit, full):
    """Prepares all sizes, in ascending order; prints and returns results.

    Args:
        prepare_size: `size -> result`.
        smallest: A size whose time is subtracted from the others.
        sizes: The sizes.
        unit: Name of one unit of a size, such as "file".
        full: Size that fills more than one shard.
    """
    start = prepare_size(smallest)
    results = []
    for size in sizes:
        result = prepare_size(size)
        beyond = result["cpu_seconds"] - start["cpu_seconds"]
        result[f"seconds_per_{unit}"] = max(beyond, SHORTEST) / size
        results.append(result)
        is_full = len(results) > 1 and sizes[len(results) - 2] > full
        print(line(results, f"seconds_per_{unit}", is_full), flush=True)
    return results


def prepare(options, name, size, source):
    with tempfile.TemporaryDirectory(dir=options.work_dir) as directory:
        store = Path(directory, "store")
        found = run_light(PREPARE, source, store, options.vocabulary)
    return {
        "contestant": name,
        "size": size,
        "precision": "text",
        "shape": "1 worker",
        "tokens_per_second": found["tokens"] / found["seconds"],
        **found,
    }


def write(path, unit, size):
    """Repeats a text up to a size in bytes, then adds a document."""
    unit = unit.encode()
    many = unit * max(1, (1 << 20) // len(unit))
    with path.open("wb") as file:
        while size > 0:
            file.write(many[: int(size) // len(unit) * len(unit) or len(unit)])
            size -= len(many)
        file.write(_END.encode())


def line(results, per_unit, is_full):
    """The figures of the last result, compared with the one before.

    Args:
        results: Results of one text, in ascending order of size.
        per_unit: Key of the time per unit of size.
        is_full: Whether the aim is for this pair of sizes.
    """
    last = results[-1]
    text = (
        f"{last['contestant']:20}{last['size']:>14}"
        f"{last['seconds']:9.1f} s{last['cpu_seconds']:9.1f} s CPU"
        f"{last['peak_megabytes']:7.0f} MB{last['documents']:9,} documents"
    )
    if len(results) > 1:
        before = results[-2]
        time = last[per_unit] / before[per_unit]
        memory = last["peak_megabytes"] / before["peak_megabytes"]
        text += f"   time {time:.2f} x linear, memory {memory:.2f} x"
        if is_full and (time > TIME_AIM or memory > MEMORY_AIM):
            text += "  ABOVE THE AIM"
    return text


def processor():
    """The name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [x.split(": ", 1)[1] for x in lines if x.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
