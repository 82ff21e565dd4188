"""A tiny export, and a server of it in a process of its own."""

import contextlib
import http.client
import json
import subprocess
import sys
import threading

import pytest

import albert_keras as ak
from albert_keras.exporting.export_model import export_model
from tests.exporting.conftest import save_model  # noqa: F401  a fixture
from tests.processes import ROOT


@pytest.fixture(scope="session")
def export_of(save_model, tmp_path_factory):  # noqa: F811
    """A function that exports a model to ONNX; returns (model, directory)."""
    made = {}

    def export(model_class=ak.AlbertForSequenceClassification, **arguments):
        key = model_class, *sorted(arguments.items())
        if key not in made:
            model, _ = save_model(model_class, **arguments)
            directory = tmp_path_factory.mktemp("export")
            export_model(model, directory, "onnx").write(directory)
            made[key] = model, directory
        return made[key]

    return export


class Server:
    """`recipes/serve.py` in a process of its own, at a free port."""

    def __init__(self, directory, *flags):
        self.process = subprocess.Popen(
            [sys.executable, "recipes/serve.py", "--model", directory]
            + ["--port", "0", "--threads", "1", *map(str, flags)],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert "http://127.0.0.1:" in line, line
        self.port = int(line.rpartition(":")[2])

    def connect(self, timeout=60):
        return contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        )

    def send(self, body, path="/predict", method="POST"):
        """Sends bytes, or a JSON value; returns (status, text)."""
        if not isinstance(body, bytes | None):
            body = json.dumps(body).encode()
        with self.connect() as connection:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def predict(self, texts, path="/predict"):
        status, text = self.send({"texts": texts}, path)
        assert status == 200, text
        return json.loads(text)["predictions"]

    def send_in_threads(self, bodies):
        """Sends bodies at the same time; returns the answers in order."""
        answers = [None] * len(bodies)

        def send(number):
            answers[number] = self.send(bodies[number])

        threads = [
            threading.Thread(target=send, args=(number,))
            for number in range(len(bodies))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def start_server():
    """A function that starts a server, which ends with the tests."""
    with contextlib.ExitStack() as stack:

        def start(*arguments):
            server = Server(*arguments)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture(scope="session")
def server(export_of, start_server):
    _, directory = export_of(num_classes=3, class_names=("a", "b", "c"))
    flags = ("--max_body_bytes", 4000, "--max_texts", 64)
    return start_server(directory, *flags)
