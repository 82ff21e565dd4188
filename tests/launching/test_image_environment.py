"""The GPU image's packages work with NVIDIA's Python and TensorFlow.

`make test-image` passes a Python 3.12; it takes minutes and downloads 700 MB.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import make_text

ROOT = Path(__file__).parents[2]
# Versions in nvcr.io/nvidia/tensorflow:25.02-tf2-py3.
PYTHON, TENSORFLOW = "3.12", "2.17.0"
VARIABLE = "ALBERT_KERAS_IMAGE_PYTHON"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.skipif(
        not os.environ.get(VARIABLE),
        reason="takes minutes; make test-image runs it",
    ),
]


def install_lines():
    """The image's commands that install Python packages."""
    dockerfile = (ROOT / "docker/ngc_sagemaker.Dockerfile").read_text()
    commands = re.findall(r"^RUN ((?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)
    return [command for command in commands if "pip install" in command]


def test_the_install_lines_run_and_a_model_trains(tmp_path):
    def run(command):
        print(command)
        subprocess.run(
            command,
            shell=True,
            check=True,
            cwd=context,
            env={
                **os.environ,
                "PATH": f"{tmp_path}/image/bin:{os.environ['PATH']}",
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
        )

    context = tmp_path / "context"
    context.mkdir()
    for name in ("albert_keras", "recipes", "docker"):
        shutil.copytree(ROOT / name, context / name)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, context)
    run(f"{os.environ[VARIABLE]} -m venv {tmp_path}/image")
    run(f"python --version | grep 'Python {PYTHON}'")
    run(f"pip install --quiet tensorflow-cpu=={TENSORFLOW}")
    lines = install_lines()
    assert len(lines) == 2
    for line in lines:
        run(line)
    run("pip check")
    version = "import tensorflow; print(tensorflow.__version__)"
    run(f'python -c "{version}" | grep {TENSORFLOW}')

    (tmp_path / "text.txt").write_text(make_text(), encoding="utf-8")
    recipes = context / "recipes"
    shutil.rmtree(context / "albert_keras")  # what was installed is used
    run(
        f"python {recipes}/prepare_corpus.py --input {tmp_path}/text.txt "
        f"--output_dir {tmp_path}/corpus --vocabulary_size 150"
    )
    run(
        f"python {recipes}/pretrain.py --data_dir {tmp_path}/corpus "
        f"--output_dir {tmp_path}/run --model_size tiny --total_steps 4 "
        "--max_seq_length 32 --batch_size 4 --gradient_accumulation_steps 2 "
        "--validation_steps 1 --precision mixed_bfloat16"
    )
    assert (tmp_path / "run/checkpoints/step-00000004").is_dir()
