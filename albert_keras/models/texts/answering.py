"""Answers questions about texts with a span of the text."""

import dataclasses

import numpy as np

from albert_keras.models.texts.predicting import predict
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.text_tasks.answers import Answers
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.tokenization.text_list import filled_text_list


def answer(
    model, question, context, no_answer, threshold, max_answer_length, size
):
    """Implements `AlbertForQuestionAnswering.answer`."""
    tokenizer = tokenizer_of(model)
    is_one = isinstance(question, str) and isinstance(context, str)
    questions, contexts = question_lists(question, context)
    if not questions:
        return []
    facts = ModelFacts.of(model)
    if no_answer is not None:
        facts = dataclasses.replace(facts, no_answer=no_answer)

    def task(**kwargs):
        return Answers(
            facts,
            tokenizer,
            questions,
            contexts,
            threshold,
            max_answer_length,
            **kwargs,
        )

    answers = predict(model, task, size)
    return answers[0] if is_one else answers


def answer_inputs(inputs):
    """Adds the `answer_mask` to rows of questions and texts."""
    segments, padding = inputs["segment_ids"], inputs["padding_mask"]
    column = np.arange(segments.shape[1])
    last = padding.sum(axis=1, keepdims=True) - 1  # [SEP]
    in_text = (segments == 1) & (column < last)
    mask = in_text | (column == 0)
    return {**inputs, "answer_mask": mask.astype("int32")}


def question_lists(question, context):
    """Questions and contexts as lists of equal length."""
    if isinstance(question, str):
        count = 1 if isinstance(context, str) else len(context)
        question = [question] * count
    questions = filled_text_list(question, "question")
    if isinstance(context, str):
        context = filled_text_list([context], "context") * len(questions)
    contexts = filled_text_list(context, "context")
    if len(questions) != len(contexts):
        raise ValueError(
            "`question` and `context` must have the same length, or one of "
            f"them be a string. Received: {len(questions)} questions, "
            f"{len(contexts)} contexts."
        )
    return questions, contexts
