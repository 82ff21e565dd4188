"""Records small Hugging Face models and their outputs.

    .venv-parity/bin/python -m tests.parity.record_huggingface

writes `tests/references/huggingface/CASE/`: the files of transformers'
`save_pretrained`, and `outputs.safetensors`. `make test` reads them and needs
no PyTorch; `make test-parity` compares with live models.
"""

import json
import shutil
from pathlib import Path

import safetensors.numpy
import torch
import transformers

from tests.parity.cases import CASES, make_inputs
from tests.parity.huggingface_models import make_case, outputs_of

DIRECTORY = Path(__file__).parents[1] / "references" / "huggingface"


def main():
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    for name in CASES:
        model = make_case(name)
        model.save_pretrained(DIRECTORY / name)
        safetensors.numpy.save_file(
            outputs_of(model, make_inputs(name)),
            DIRECTORY / name / "outputs.safetensors",
        )
    versions = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    (DIRECTORY / "versions.json").write_text(json.dumps(versions) + "\n")


if __name__ == "__main__":
    main()
