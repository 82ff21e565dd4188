"""Compares an export with its model, in a process without Keras."""

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.exporting import run_export
from albert_keras.exporting.manifest import Manifest
from albert_keras.exporting.run_export import FILES, median_seconds
from albert_keras.text_tasks.requests import task_of_requests
from albert_keras.text_tasks.text_task import TextTask
from albert_keras.tokenization.tokenizer import AlbertTokenizer

BATCH = 16
# Numbers agree within this share of their standard deviation, and embeddings
# above this cosine.
_SHARE_OF_DEVIATION, _COSINE = 0.1, 0.99


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        num_predictions: Number of predictions: one for each text or mask.
        bytes: Size of the model's files.
        difference: Largest difference of the outputs.
        agreement: Share of the predictions that are the same.
        seconds, model_seconds: Median time of the export and of the model for
            1 text and for 16, by that number.
    """

    num_predictions: int
    bytes: int
    difference: float
    agreement: float
    seconds: dict[int, float]
    model_seconds: dict[int, float]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def table(self, name: str) -> str:
        """The comparison as text."""
        rows = [
            ("size", f"{self.bytes / 1e6:.1f} MB"),
            ("largest difference", f"{self.difference:.1e}"),
            (
                "same predictions",
                f"{self.agreement:.2%} of {self.num_predictions:,}",
            ),
        ]
        for count, seconds in sorted(self.seconds.items()):
            model = self.model_seconds[count]
            texts = f"{count} text{'s' * (count > 1)}"
            rows.append(
                (
                    f"latency, {texts}",
                    f"{seconds * 1e3:.1f} ms; the model {model * 1e3:.1f} ms "
                    f"({model / seconds:.2f} times)",
                )
            )
        width = max(len(label) for label, _ in rows)
        lines = [f"  {label:<{width}}  {value}" for label, value in rows]
        return "\n".join([f"{name}:", *lines])


def batches_of(task: TextTask) -> list[tuple[np.ndarray, dict]]:
    """(indices, inputs) of all rows of a task, the longest first."""
    order = np.argsort(-task.examples.lengths, kind="stable")
    batches = []
    for start in range(0, len(order), BATCH):
        indices = order[start : start + BATCH]
        width = int(task.examples.lengths[indices].max())
        batches.append((indices, task.examples.batch(indices, width)[0]))
    return batches


def compare_export(
    run_model: Callable[[dict], dict],
    directory: str | Path,
    manifest: Manifest,
    tokenizer: AlbertTokenizer,
    requests: Sequence[Any],
) -> Comparison:
    """Compares an export with the model that it was made from.

    Args:
        run_model: The model: inputs to outputs.
        directory: Directory with the export's file.
        manifest: Its `Manifest`.
        tokenizer: The model's tokenizer.
        requests: Texts as for `task_of_requests`.

    Raises:
        ValueError: If the export cannot be loaded or run without this
            package and Keras.
    """
    tasks = [
        task_of_requests(manifest.facts, tokenizer, requests) for _ in range(2)
    ]
    # Without a head that reads it, an export has no `answer_mask`.
    left_out = () if manifest.facts.answerability_head else ("answer_mask",)
    batches = [
        (indices, {k: v for k, v in inputs.items() if k not in left_out})
        for indices, inputs in batches_of(tasks[0])
    ]
    timed = {count: _timed_inputs(tasks[0], count) for count in (1, BATCH)}
    path = Path(directory) / FILES[manifest.format]
    outputs, seconds = _run_apart(
        manifest, path, [inputs for _, inputs in batches], timed
    )
    difference = 0.0
    for (indices, inputs), found in zip(batches, outputs, strict=True):
        expected = _as_arrays(run_model(inputs))
        for name in tasks[0].outputs:
            apart = np.abs(expected[name] - found[name]).max(initial=0.0)
            # False for NaN, which is then the result.
            difference = difference if apart <= difference else float(apart)
        tasks[0].add(indices, expected)
        tasks[1].add(indices, found)
    same = _same(*(task.predictions() for task in tasks))
    return Comparison(
        num_predictions=len(same),
        bytes=size_of(path),
        difference=difference,
        agreement=float(np.mean(same)),
        seconds=seconds,
        model_seconds={
            count: median_seconds(run_model, inputs)
            for count, inputs in timed.items()
        },
    )


def size_of(path: Path) -> int:
    """Bytes of a model: a file, with the weights next to it, or a folder."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    files = (path, path.with_suffix(".bin"))
    return sum(file.stat().st_size for file in files if file.is_file())


def _timed_inputs(task, count):
    """Inputs of so many rows: those of middle length, repeated if needed."""
    order = np.argsort(task.examples.lengths, kind="stable")
    first = max(0, (len(order) - count) // 2)
    indices = np.resize(order[first : first + count], count)
    width = int(task.examples.lengths[indices].max())
    return task.examples.batch(indices, width)[0]


def _run_apart(manifest, path, batches, timed):
    """Outputs of batches and seconds, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for number, inputs in enumerate(batches):
            np.savez(Path(folder, f"{number:06}.npz"), **inputs)
        for count, inputs in timed.items():
            np.savez(Path(folder, f"timed-{count}.npz"), **inputs)
        command = [
            *(sys.executable, "-I", run_export.__file__),
            *(manifest.format, manifest.precision, str(path), folder),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ValueError(
                f"The export {path.name} fails in {manifest.format}: "
                f"{done.stderr.strip()[-500:]}"
            )
        seconds = json.loads(done.stdout.splitlines()[-1])
        outputs = [
            dict(
                np.load(
                    Path(folder, f"{number:06}-outputs.npz"), allow_pickle=False
                )
            )
            for number in range(len(batches))
        ]
    seconds = {int(k.removeprefix("timed-")): v for k, v in seconds.items()}
    return outputs, seconds


def _as_arrays(outputs):
    return {k: np.asarray(v).astype("float32") for k, v in outputs.items()}


def _same(first: list, second: list) -> list[bool]:
    """Whether the predictions of two models are the same, one by one."""
    if isinstance(first[0], dict) and "value" in first[0]:
        a, b = (np.array([p["value"] for p in x]) for x in (first, second))
        return (np.abs(a - b) <= _SHARE_OF_DEVIATION * a.std()).tolist()
    if isinstance(first[0], dict) and "embedding" in first[0]:
        a, b = (np.array([p["embedding"] for p in x]) for x in (first, second))
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        return ((a * b).sum(axis=1) >= _COSINE * norms).tolist()
    return [
        a == b
        for rows in zip(first, second, strict=True)
        for a, b in zip(*map(_decisions, rows), strict=True)
    ]


def _decisions(prediction):
    """Lists the decisions for a text, without their probabilities.

    One item, or one for each mask.
    """
    if isinstance(prediction, dict):
        names = ("label", "answer", "start")
        return [[prediction.get(name) for name in names]]
    if prediction and isinstance(prediction[0], list):
        return [tokens[0]["token"] for tokens in prediction]
    if prediction and "choice" in prediction[0]:
        return [prediction[0]["index"]]
    return [[(p["label"], p["start"], p["end"]) for p in prediction]]
