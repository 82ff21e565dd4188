"""Answers to texts, against searches over the logits of `predict`."""

import itertools

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities

import albert_keras as ak
from albert_keras.text_tasks.tagged_entities import split_words
from tests.models.texts.conftest import PAIRS, TEXTS

pytestmark = pytest.mark.heavy

LONG = " ".join([*TEXTS, *PAIRS, *TEXTS])


def softmax(scores):
    powers = np.exp(np.asarray(scores, "float64") - np.max(scores))
    return powers / powers.sum()


# === Questions ===


def spans_of(model, tokenizer, question, context):
    """Every span of a short context: (score, start, end) in characters."""
    batch = tokenizer([question], [context], return_offsets=True)
    offsets = batch.pop("offsets")[0]
    outputs = model.predict(batch, verbose=0)
    start, end = (outputs[f"{name}_logits"][0] for name in ("start", "end"))
    columns = np.flatnonzero(batch["segment_ids"][0])[:-1]  # without [SEP]
    spans = []
    for a, b in itertools.combinations_with_replacement(columns, 2):
        text = context[offsets[a][0] : offsets[b][1]]
        first = offsets[a][0] + len(text) - len(text.lstrip())
        if text := text.strip():
            spans.append((float(start[a] + end[b]), first, first + len(text)))
    return sorted(spans, reverse=True), outputs


def test_the_answer_is_the_best_span_of_all(make, tokenizer):
    model = make(ak.AlbertForQuestionAnswering, fresh=True)
    question, context = "Ko ru ba", TEXTS[1]
    spans, outputs = spans_of(model, tokenizer, question, context)
    found = model.answer(question, context)
    _, start, end = spans[0]
    assert (found["start"], found["end"]) == (start, end)
    assert found["answer"] == context[start:end]
    best = {}
    for score, start, end in spans:
        best.setdefault(context[start:end], score)
    expected = softmax(list(best.values())[:20])[0]
    assert found["score"] == pytest.approx(expected, rel=1e-4)
    # [CLS] is the answer "none" for models of SQuAD 2.0.
    null = outputs["start_logits"][0, 0] + outputs["end_logits"][0, 0]
    empty = model.answer(question, context, no_answer=True, threshold=-1e9)
    assert (empty["answer"], empty["start"], empty["end"]) == ("", 0, 0)
    expected = softmax([null, *list(best.values())[:20]])[0]
    assert empty["score"] == pytest.approx(expected, rel=1e-4)
    model.card["task"] = "SQuAD 2.0"
    assert model.answer(question, context, threshold=-1e9) == empty


def test_an_answerability_head_decides_whether_there_is_an_answer(
    make, tokenizer
):
    model = make(ak.AlbertForQuestionAnswering, answerability_head=True)
    batch = model.inputs_of((["Ba do"], [TEXTS[1]]))
    logit = float(model.predict(batch, verbose=0)["answerable_logits"][0])
    for threshold in (-logit + 0.1, -logit - 0.1):
        found = model.answer("Ba do", TEXTS[1], threshold=threshold)
        assert bool(found["answer"]) == (-logit <= threshold)
    assert found["score"] == pytest.approx(1 / (1 + np.exp(logit)), rel=1e-4)
    assert model.answer("Ba do", TEXTS[1], no_answer=False)["answer"]


def test_long_contexts_and_lists_are_answered(make):
    model = make(ak.AlbertForQuestionAnswering)
    questions = ["Ba do", "Ko ru", "Ga"]
    found = model.answer(questions, LONG)
    assert found == model.answer(questions, [LONG] * 3)
    for question, row in zip(questions, found, strict=True):
        assert row["answer"] == LONG[row["start"] : row["end"]] != ""
        alone = model.answer(question, LONG)
        assert alone["answer"] == row["answer"]
    assert [row["answer"] for row in model.answer("Ba", [LONG, "Ko"])][1] == (
        "Ko"
    )
    assert model.answer([], []) == []


def test_every_part_of_a_long_context_may_be_the_answer(make, monkeypatch):
    """A model that answers with one token finds it, wherever it is."""
    model = make(ak.AlbertForQuestionAnswering, fresh=True)
    words = [f"{a}{b}" for a in "bdfgklmnprst" for b in "aeiou"]
    context = " ".join(words)
    tokenizer = model.preprocessor.tokenizer
    for word in (words[0], words[31], words[-1]):
        (wanted,) = tokenizer.encode([word])

        def predict(inputs, wanted=wanted):
            ids = inputs["token_ids"]
            ends = np.zeros(ids.shape, "float32")
            starts = np.zeros(ids.shape, "float32")
            for row, column in np.ndindex(*ids.shape):
                run = ids[row, column : column + len(wanted)].tolist()
                if run == wanted and inputs["answer_mask"][row, column]:
                    starts[row, column] = 9
                    ends[row, column + len(wanted) - 1] = 9
            return {"start_logits": starts, "end_logits": ends}

        monkeypatch.setattr(model, "predict_on_batch", predict)
        found = model.answer("Ko?", context)
        assert found["answer"] == word
        assert found["start"] == context.index(word)


@pytest.mark.parametrize(
    ("question", "context", "message"),
    [
        (["Ba", None], LONG, r"`question`.*None \(NoneType\) in row 1"),
        ("Ba", ["Ko", ""], "`context`.*which is empty, in row 1"),
        (["Ba", "do"], ["Ko"], "Received: 2 questions, 1 contexts"),
    ],
)
def test_wrong_questions_are_refused(make, question, context, message):
    model = make(ak.AlbertForQuestionAnswering)
    with pytest.raises(ValueError, match=message):
        model.answer(question, context)


# === Entities ===

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def test_entities_are_those_of_the_words_tags(make, tokenizer):
    model = make(ak.AlbertForTokenClassification, 5, class_names=TAGS)
    for text, found in zip(TEXTS, model.tag(TEXTS), strict=True):
        spans = split_words(text)
        ids = tokenizer.encode([text[a:b] for a, b in spans])
        row = [tokenizer.cls_id, *itertools.chain(*ids), tokenizer.sep_id]
        logits = model.predict({"token_ids": np.array([row])}, verbose=0)
        first = 1 + np.cumsum([0, *map(len, ids[:-1])])
        of_words = logits["logits"][0, first]
        tags = [TAGS[i] for i in of_words.argmax(axis=1)]
        p = [softmax(row).max() for row in of_words]
        expected = [
            (label, spans[a][0], spans[b][1], np.mean(p[a : b + 1]))
            for label, a, b in get_entities(tags)
        ]
        assert len(found) == len(expected)
        for entity, (label, start, end, score) in zip(
            found, expected, strict=True
        ):
            assert entity["label"] == label
            assert (entity["start"], entity["end"]) == (start, end)
            assert entity["text"] == text[start:end]
            assert entity["score"] == pytest.approx(score, rel=1e-4)
    assert sum(map(len, model.tag(TEXTS))) > 3


def test_parts_of_speech_are_one_word_each(make):
    model = make(ak.AlbertForTokenClassification, 2, class_names=("N", "V"))
    for text in (TEXTS[3], LONG):
        found = model.tag(text)
        words = [text[start:end] for start, end in split_words(text)]
        assert [entity["text"] for entity in found] == words


def test_plain_text_is_split_as_files_of_tagged_words_are():
    text = "John's U.S. shop (est. 1,900.5) isn't in Bad-Ems, 東京都."
    words = "John 's U.S. shop ( est . 1,900.5 ) isn 't in Bad-Ems , 東 京 都 ."
    assert [text[a:b] for a, b in split_words(text)] == words.split()


# === Masks ===


def test_masks_are_filled_by_the_models_probabilities(make, tokenizer):
    model = make(ak.AlbertForPretraining)
    texts = ["Ba do [MASK] le", "[MASK] ba [MASK]."]
    found = model.fill_mask(texts, top=3)
    assert [len(row) for row in found] == [1, 2]
    for text, row in zip(texts, found, strict=True):
        inputs = model.inputs_of([text])
        logits = model.predict(inputs, verbose=0)["mlm_logits"][0]
        for mask, scores in zip(row, logits, strict=True):
            p = softmax(scores)
            for fill, best in zip(mask, np.argsort(-p), strict=False):
                assert fill["token"] == tokenizer.id_to_piece(best)
                assert fill["text"] == fill["token"].strip("▁")
                assert fill["probability"] == pytest.approx(p[best], rel=1e-4)
    with pytest.raises(ValueError, match=r"needs a \[MASK\].* in row 1"):
        model.fill_mask(["[MASK]", "Ba do"])
    with pytest.raises(ValueError, match="at most 48 tokens"):
        model.fill_mask("[MASK] " + "ba " * 100)


# === Choices ===


def test_choices_are_ranked_by_the_models_scores(make, tokenizer):
    model = make(ak.AlbertForMultipleChoice)
    question, choices = TEXTS[0], PAIRS[:4]
    logits = model.predict(([question], [choices]), verbose=0)["logits"][0]
    batch = tokenizer([question] * 4, choices)
    inputs = {name: array[None] for name, array in batch.items()}
    expected = model.predict(inputs, verbose=0)["logits"][0]
    np.testing.assert_array_equal(logits, expected)
    found = model.rank(question, choices)
    order = np.argsort(-expected)
    assert [row["index"] for row in found] == order.tolist()
    assert [row["choice"] for row in found] == [choices[i] for i in order]
    np.testing.assert_allclose(
        [row["probability"] for row in found],
        softmax(expected)[order],
        rtol=1e-4,
    )


def test_contexts_and_several_questions_have_choices_of_their_own(make):
    model = make(ak.AlbertForMultipleChoice)
    found = model.rank(
        ["Ba _ le", "Ko"], [["do", "ru", "ga"], ["fi"]], context=TEXTS[:2]
    )
    assert [len(row) for row in found] == [3, 1]
    assert found[1][0]["probability"] == 1
    expected = model.predict(
        ([TEXTS[0]], [["Ba do le", "Ba ru le", "Ba ga le"]]), verbose=0
    )["logits"][0]
    order = np.argsort(-expected).tolist()
    assert [row["index"] for row in found[0]] == order
    with pytest.raises(ValueError, match="Received: 1 and 2"):
        model.rank(["Ba"], [["do"], ["ru"]])
    with pytest.raises(ValueError, match="none in row 0"):
        model.rank("Ba", [])
