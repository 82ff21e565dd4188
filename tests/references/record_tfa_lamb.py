"""Records what `tensorflow_addons.optimizers.LAMB` does, for the tests.

TensorFlow Addons ended in 2024 and cannot be loaded with Keras 3, so it runs
once, in its own environment:

    python -m venv /tmp/tfa
    /tmp/tfa/bin/pip install tensorflow-cpu==2.15.1 tensorflow-addons==0.23.0
    /tmp/tfa/bin/python tests/references/record_tfa_lamb.py

writes tfa_lamb.json next to this file.
"""

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

STEPS = 20
SHAPES = {
    "dense/kernel": (4, 3),
    "dense/bias": (3,),
    "layer_norm/gamma": (3,),
    "layer_norm/beta": (3,),
    "embedding/table": (5, 2),
}
EXCLUDED = ["layer_norm", "bias"]
CASES = {
    "exclusions of decay and adaptation": dict(
        learning_rate=0.01,
        weight_decay=0.01,
        exclude_from_weight_decay=EXCLUDED,
    ),
    "nothing excluded": dict(learning_rate=0.01, weight_decay=0.1),
    "exclusions of adaptation alone": dict(
        learning_rate=0.02,
        weight_decay=0.05,
        beta_1=0.8,
        beta_2=0.99,
        exclude_from_layer_adaptation=["table"],
    ),
    "no decay": dict(learning_rate=0.005, weight_decay=0.0),
}


def main():
    rng = np.random.default_rng(0)
    start = {
        name: rng.normal(size=shape).astype("float32")
        for name, shape in SHAPES.items()
    }
    start["dense/bias"][:] = 0.0  # a norm of zero: ratio 1
    gradients = [
        {
            name: (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 2)).astype(
                "float32"
            )
            for name, shape in SHAPES.items()
        }
        for _ in range(STEPS)
    ]
    record = {
        "versions": {
            "python": sys.version.split()[0],
            "tensorflow": tf.__version__,
            "tensorflow_addons": tfa.__version__,
            "numpy": np.__version__,
        },
        "start": as_lists(start),
        "gradients": [as_lists(step) for step in gradients],
        "cases": {
            name: {
                "arguments": arguments,
                "weights": run(start, gradients, arguments),
            }
            for name, arguments in CASES.items()
        },
    }
    path = pathlib.Path(__file__).with_name("tfa_lamb.json")
    path.write_text(json.dumps(record) + "\n")
    print(f"Wrote {path}: {record['versions']}")


def run(start, gradients, arguments):
    variables = {
        name: tf.Variable(value, name=name) for name, value in start.items()
    }
    optimizer = tfa.optimizers.LAMB(epsilon=1e-6, **arguments)
    trajectory = []
    for step in gradients:
        optimizer.apply_gradients(
            [(tf.constant(step[name]), variables[name]) for name in variables]
        )
        trajectory.append(
            as_lists({name: v.numpy() for name, v in variables.items()})
        )
    return trajectory


def as_lists(arrays):
    return {name: array.tolist() for name, array in arrays.items()}


if __name__ == "__main__":
    main()
