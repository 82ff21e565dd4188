"""The server: predictions as of the model, errors, load, and its end."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.serving.text_predictor import TextPredictor
from tests.exporting.conftest import TEXTS

pytestmark = [pytest.mark.heavy, pytest.mark.process]

QUESTION = "Mika tofe?"
TASKS = {
    "several classes": (
        ak.AlbertForSequenceClassification,
        dict(num_classes=3, problem="multi_label", thresholds=(0.4, 0.5, 0.6)),
        TEXTS,
        lambda model: model.classify(TEXTS),
    ),
    "numbers": (
        ak.AlbertForSequenceClassification,
        dict(num_classes=1),
        [[text, "Ba do"] for text in TEXTS],
        lambda model: model.classify(TEXTS, ["Ba do"] * len(TEXTS)),
    ),
    "answers": (
        ak.AlbertForQuestionAnswering,
        {},
        [{"question": QUESTION, "context": 9 * text} for text in TEXTS],
        lambda model: model.answer(QUESTION, [9 * text for text in TEXTS]),
    ),
    "tags": (
        ak.AlbertForTokenClassification,
        dict(num_classes=3, class_names=("O", "B-X", "I-X")),
        TEXTS,
        lambda model: model.tag(TEXTS),
    ),
    "masks": (
        ak.AlbertForMaskedLM,
        {},
        ["Ba [MASK] le.", "[MASK] do [MASK] mi"],
        lambda model: model.fill_mask(["Ba [MASK] le.", "[MASK] do [MASK] mi"]),
    ),
    "choices": (
        ak.AlbertForMultipleChoice,
        {},
        [{"question": QUESTION, "choices": TEXTS}],
        lambda model: model.rank([QUESTION], [TEXTS]),
    ),
}


def assert_alike(found, expected):
    """Equal values, numbers up to rounding."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-4)
    else:
        assert found == expected


@pytest.mark.parametrize("kind", TASKS)
def test_predictions_are_those_of_the_model(kind, export_of):
    model_class, arguments, requests, predict = TASKS[kind]
    model, directory = export_of(model_class, **arguments)
    predictor = TextPredictor(directory)
    task = predictor.encode(json.loads(json.dumps(requests)))
    rows = [
        task.examples.batch([index], int(length))[0]
        for index, length in enumerate(task.examples.lengths)
    ]
    task.add(_all(rows), predictor.run(rows))
    assert_alike(json.loads(json.dumps(task.predictions())), predict(model))


def test_embeddings_are_the_mean_of_the_outputs(export_of):
    backbone, directory = export_of(ak.AlbertBackbone)
    predictor = TextPredictor(directory)
    task = predictor.encode(TEXTS)
    rows = [
        task.examples.batch([index], int(length))[0]
        for index, length in enumerate(task.examples.lengths)
    ]
    task.add(_all(rows), predictor.run(rows))
    for text, found in zip(TEXTS, task.predictions(), strict=True):
        output = backbone.predict([text], verbose=0)["sequence_output"][0]
        assert found["embedding"] == pytest.approx(
            output.mean(axis=0).tolist(), abs=1e-4
        )


def _all(rows):
    return np.arange(len(rows))


def test_a_server_answers_in_order_at_both_paths(server, export_of):
    model, _ = export_of(num_classes=3, class_names=("a", "b", "c"))
    expected = model.classify(TEXTS)
    for path in ("/predict", "/invocations"):
        assert_alike(server.predict(TEXTS, path), expected)
    for path in ("/healthz", "/ping", "/docs"):
        assert server.send(None, path, "GET")[0] == 200
    metrics = server.send(None, "/metrics", "GET")[1]
    assert 'albert_requests_total{status="200"}' in metrics
    paths = json.loads(server.send(None, "/openapi.json", "GET")[1])["paths"]
    assert {"/predict", "/invocations", "/healthz"} <= set(paths)


@pytest.mark.parametrize(
    "body, status, message",
    [
        (b"", 400, "empty"),
        (b'{"texts": ["Ba"', 400, "no JSON"),
        (b'{"texts": ["\xff"]}', 400, "not UTF-8"),
        (b"[" * 3000, 400, "no JSON"),
        (b'{"texts": ["\\ud800"]}', 422, "surrogate"),
        ({"text": ["Ba"]}, 422, "must be"),
        ({"texts": "Ba"}, 422, "must be a list"),
        ({"texts": []}, 422, "must not be empty"),
        ({"texts": ["Ba", " "]}, 422, "row 1"),
        ({"texts": [None]}, 422, "must be a string"),
        ({"texts": ["Ba", ["Ba", "do"]]}, 422, "row 1"),
        ({"texts": ["Ba"] * 65}, 413, "at most 64 items"),
        ({"texts": ["Ba" * 3000]}, 413, "at most 4,000 bytes"),
    ],
    ids=lambda value: None if isinstance(value, bytes | dict) else str(value),
)
def test_a_bad_request_gets_its_status_and_disturbs_nobody(
    server, body, status, message
):
    good = {"texts": TEXTS}
    expected = server.send(good)
    answers = server.send_in_threads([good, body, good])
    assert [code for code, _ in answers] == [200, status, 200]
    assert message in json.loads(answers[1][1])["error"]
    for answer in (answers[0], answers[2]):
        assert_alike(json.loads(answer[1]), json.loads(expected[1]))


def test_a_client_that_goes_away_disturbs_nobody(server):
    body = json.dumps({"texts": TEXTS}).encode()
    for part in (body[:10], body):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: "
                + str(len(body)).encode()
                + b"\r\n\r\n"
                + part
            )
    assert len(server.predict(TEXTS)) == len(TEXTS)


def test_clients_at_the_same_time_get_their_own_answers(server):
    """A text of its own for each, whose probabilities tell it apart."""
    words = " ".join(TEXTS).replace(".", "").split()
    texts = [f"{a} {b} {a}" for a in words for b in words][:200]
    expected = server.predict(texts[:64]) + server.predict(texts[64:128])
    answers = server.send_in_threads([{"texts": [t]} for t in texts[:128]])
    assert [status for status, _ in answers] == [200] * 128
    for (_, text), value in zip(answers, expected, strict=True):
        assert_alike(json.loads(text)["predictions"], [value])


def test_sigterm_finishes_what_is_in_flight(export_of, start_server):
    _, directory = export_of(num_classes=3, class_names=("a", "b", "c"))
    # It waits half a second for further texts.
    server = start_server(directory, "--max_delay_ms", 500)
    answers = []
    client = threading.Thread(
        target=lambda: answers.append(server.send({"texts": TEXTS}))
    )
    client.start()
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    client.join()
    assert answers[0][0] == 200
    assert len(json.loads(answers[0][1])["predictions"]) == len(TEXTS)
    assert server.process.wait(10) == 0


def test_a_request_that_takes_too_long_gets_its_status(export_of, start_server):
    _, directory = export_of(num_classes=3, class_names=("a", "b", "c"))
    flags = ("--max_delay_ms", 3000, "--timeout", 0.3)
    server = start_server(directory, *flags)
    status, text = server.send({"texts": TEXTS})
    assert status == 504 and "within 0.3 s" in text


def test_serving_imports_neither_keras_nor_tensorflow(export_of):
    _, directory = export_of(num_classes=3, class_names=("a", "b", "c"))
    program = f"""
import sys
sys.path.insert(0, "recipes")
import serve
from albert_keras.serving import server
server.make_app(server.TextPredictor({str(directory)!r}))
assert not {{"keras", "tensorflow", "jax", "torch"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--model", "missing"], "missing is no export"),
        (["--max_queue", "0"], "--max_queue must be positive"),
        (["--port", "99999"], "--port"),
    ],
)
def test_wrong_settings_of_the_server_are_refused(
    flags, message, export_of, recipe
):
    _, directory = export_of(num_classes=3, class_names=("a", "b", "c"))
    with pytest.raises(SystemExit, match=message):
        recipe("serve").main(["--model", str(directory), *flags])


def test_a_damaged_manifest_is_named(export_of, tmp_path):
    _, directory = export_of(num_classes=3, class_names=("a", "b", "c"))
    values = json.loads((directory / "export.json").read_text())
    for change in (
        {"format": "../../x"},
        {"labels": {"0": "a"}},
        {"sequence_length": "48"},
        {"tokenizer": {"style": 3}},
        {"model_class": "os.system"},
    ):
        path = tmp_path / "export.json"
        path.write_text(json.dumps({**values, **change}))
        with pytest.raises(ValueError, match=r"export\.json is damaged"):
            TextPredictor(tmp_path)
