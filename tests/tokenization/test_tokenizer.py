"""The tokenizer: ids equal to Google's, offsets, and errors on bad input."""

import json

import numpy as np
import pytest
import sentencepiece

from albert_keras.data import AlbertTokenizer
from albert_keras.tokenization.packing import truncate_longest_first
from albert_keras.tokenization.text_normalization import normalize_text
from albert_keras.tokenization.vocabulary_training import train_vocabulary
from tests.references.tokenizer import google_ids, huggingface_ids

# Recorded from Google's tokenizer with the English vocabulary.
GOOGLE = {
    "Hello, world!": "10975 15 126 187",
    "In 2009, the U.S. spent $1,000,000.": (
        "19 588 15 14 287 9 18 9 1111 3742 11623 9"
    ),
    "Crème brûlée costs €9–10.": (
        "5059 790 5073 4716 4227 13 12 518 10 1036 9"
    ),
    "The ``quick'' brown fox didn't jump.": (
        "14 13 1 25865 22 22 886 2385 223 22 38 3936 9"
    ),
    "The [MASK] sat.": "14 636 23265 500 847 9",
    "Self-taught (e-mail: foo@bar.com)": (
        "1119 8 38 12647 13 5 62 8 8079 45 4310 111 1 1850 9 960 6"
    ),
    "日本 café №5 ½": "13 1 6241 90 264 137 1 135",
    "1,234,567 people by 3, 2010.": (
        "137 15 20404 15 264 4167 148 34 203 15 498 9"
    ),
}


@pytest.fixture
def english(shared_data):
    return AlbertTokenizer(shared_data("30k-clean.model"))


@pytest.mark.parametrize("text", GOOGLE)
def test_ids_equal_those_of_googles_tokenizer(english, text):
    assert " ".join(map(str, english.encode([text])[0])) == GOOGLE[text]


HUGGING_FACE = {
    **GOOGLE,
    "The ``quick'' brown fox didn't jump.": (
        "14 13 7 25865 7 886 2385 223 22 38 3936 9"
    ),
    "The [MASK] sat.": "14 4 847 9",
}


@pytest.mark.parametrize("text", HUGGING_FACE)
def test_ids_equal_those_of_hugging_faces_tokenizer(shared_data, text):
    tokenizer = AlbertTokenizer(
        shared_data("30k-clean.model"), style="huggingface"
    )
    assert tokenizer.encode([text]) == [
        [int(i) for i in HUGGING_FACE[text].split()]
    ]


def real_texts(shared_data):
    """Lines of Wikipedia and questions of SQuAD."""
    lines = shared_data("wikitext2-valid.txt").read_text("utf-8").splitlines()
    articles = json.loads(
        shared_data("squad-v2-dev-half.json").read_text("utf-8")
    )["data"]
    questions = [
        question["question"]
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    assert len(lines) > 3000 and len(questions) > 2000
    return [*lines, *questions[:2000]]


@pytest.mark.parametrize("style", ["google", "huggingface"])
@pytest.mark.parametrize("part", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_on_real_text_ids_equal_a_slow_reference_and_offsets_slice_back(
    shared_data, style, part
):
    path = shared_data("30k-clean.model")
    tokenizer = AlbertTokenizer(path, style=style)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    reference = {"google": google_ids, "huggingface": huggingface_ids}[style]
    texts = real_texts(shared_data)[::part]
    encoded = tokenizer.encode(texts, num_threads=2)
    with_offsets = tokenizer.encode_with_offsets(texts)
    for text, ids, (again, offsets) in zip(
        texts, encoded, with_offsets, strict=True
    ):
        assert ids == again == reference(processor, text), text
        check_offsets(tokenizer, processor, text, ids, offsets)


def check_offsets(tokenizer, processor, text, ids, offsets):
    """Every token equals its source text after normalization."""
    for token_id, (start, end) in zip(ids, offsets, strict=True):
        piece = tokenizer.id_to_piece(token_id).replace("\u2581", "")
        source = text[start:end]
        normalized = processor.normalize(
            normalize_text(source, unify_quotes=tokenizer.style != "google")
        ).replace("\u2581", "")
        message = f"{text!r}: {piece!r} from {source!r}"
        if token_id == tokenizer.unknown_id:
            assert normalized, message
        elif any(len(normalize_text(character)) > 1 for character in source):
            # A fraction, for example, is one character but three tokens.
            assert piece in normalized and piece, message
        else:
            assert normalized == piece, message
        assert source == source.strip()
    starts, ends = zip(*offsets, strict=True) if offsets else ((), ())
    assert list(starts) == sorted(starts) and list(ends) == sorted(ends)


HOSTILE = [
    "",
    " \t\n",
    "\u0301",
    "\u0301 e\u0301\u0300 x",
    "👩\u200d👩\u200d👧 family",
    "\u0130stanbul Stra\u00dfe",
    "\u0391\u03a3 \u0391\u03a3",
    "\ufb01ne",
    "\uff12\uff10\uff10\uff19\uff0cok",
    "a\tb\nc\u00a0d",
    "\u00bd",
    "\ud55c\uad6d\uc5b4 text",
    "\u0627\u064b\u0650",
    "\ufffd",
    "a\u200bb",
    "in 2009, x 1,234, y 3,",
    "``a'' '' ``",
    "[MASK][CLS] <unk>[MASK]  [SEP]",
]


@pytest.mark.parametrize("style", ["google", "huggingface"])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_offsets_hold_on_hostile_text(shared_data, style, text):
    path = shared_data("30k-clean.model")
    tokenizer = AlbertTokenizer(path, style=style)
    ((ids, offsets),) = tokenizer.encode_with_offsets([text])
    assert ids == tokenizer.encode([text])[0]
    if "[" not in text:
        check_offsets(tokenizer, tokenizer._processor, text, ids, offsets)


def test_offsets_and_ids_hold_on_random_mixtures(shared_data):
    alphabet = "abcABC  \t'`.,0129\u00bd\u00df\u0130\u03a3\ufb01\uff11\u00e9"
    alphabet += (
        "\u0301\u0300\u00a0\u200b\u3000\ufffd\u200d\ud55c\u0627\u064b\u00a8"
    )
    rng = np.random.default_rng(5)
    texts = [
        "".join(rng.choice(list(alphabet), rng.integers(0, 14)))
        for _ in range(2000)
    ]
    path = shared_data("30k-clean.model")
    for settings in (
        {},
        {"style": "huggingface"},
        {"remove_accents": False},
        {"lowercase": False},
    ):
        tokenizer = AlbertTokenizer(path, **settings)
        encoded = tokenizer.encode(texts)
        for text, ids, (again, offsets) in zip(
            texts, encoded, tokenizer.encode_with_offsets(texts), strict=True
        ):
            assert ids == again, text
            for start, end in offsets:
                assert 0 <= start <= end <= len(text)
            if settings in ({}, {"style": "huggingface"}):
                check_offsets(
                    tokenizer, tokenizer._processor, text, ids, offsets
                )


def test_offsets_of_a_batch_point_into_text_and_pair(english):
    text, pair = "Cr\u00e8me  br\u00fbl\u00e9e", "In 2009, x"
    batch = english(
        [text], pairs=[pair], sequence_length=16, return_offsets=True
    )
    ids, spans = batch["token_ids"][0], batch["offsets"][0]
    segments = batch["segment_ids"][0]
    assert spans.dtype == np.int32
    for token_id, (start, end), segment in zip(
        ids, spans, segments, strict=True
    ):
        if token_id in english.special_ids:
            assert (start, end) == (0, 0)
        else:
            source = normalize_text((text, pair)[segment][start:end])
            assert english.id_to_piece(token_id).strip("\u2581") == source


@pytest.mark.parametrize("room", [1, 2, 5, 8])
def test_cutting_equals_popping_from_the_longer_end(room):
    lengths = np.array([[0, 1, 3, 4, 9, 6, 7], [0, 5, 3, 5, 2, 6, 20]])
    expected = []
    for first, second in lengths.T.tolist():
        while first + second > room:
            if first > second:
                first -= 1
            else:
                second -= 1
        expected.append((first, second))
    truncated = truncate_longest_first(lengths, room)
    np.testing.assert_array_equal(truncated.T, expected)


def test_how_text_is_prepared_is_saved_along(shared_data, tmp_path):
    settings = dict(lowercase=False, remove_accents=False, style="huggingface")
    AlbertTokenizer(
        shared_data("30k-clean.model"), **settings
    ).write_pretrained(tmp_path)
    assert AlbertTokenizer.from_pretrained(tmp_path).settings() == settings
    changed = AlbertTokenizer.from_pretrained(tmp_path, style="google")
    assert changed.settings() == {**settings, "style": "google"}
    path = tmp_path / "albert_keras_tokenizer.json"
    path.write_text("[")
    with pytest.raises(ValueError, match="albert_keras_tokenizer.json is dam"):
        AlbertTokenizer.from_pretrained(tmp_path)
    path.unlink()  # directories of older versions lack this file
    assert AlbertTokenizer.from_pretrained(tmp_path).lowercase
    with pytest.raises(ValueError, match="`style` must be one of.*'bert'"):
        AlbertTokenizer.from_pretrained(tmp_path, style="bert")


def test_a_batch_is_laid_out_with_special_tokens_segments_and_padding(english):
    batch = english(["Hello"], pairs=["world!"], sequence_length=8)
    np.testing.assert_array_equal(
        batch["token_ids"], [[2, 10975, 3, 126, 187, 3, 0, 0]]
    )
    np.testing.assert_array_equal(
        batch["segment_ids"], [[0, 0, 0, 1, 1, 1, 0, 0]]
    )
    np.testing.assert_array_equal(
        batch["padding_mask"], [[1, 1, 1, 1, 1, 1, 0, 0]]
    )
    assert {a.dtype for a in batch.values()} == {np.dtype("int32")}
    assert english(["Hello", "Hello, world!"])["token_ids"].shape == (2, 6)


def test_the_longer_segment_is_cut_first(english):
    a, b = "one two three four five six", "one two three"
    batch = english([a], pairs=[b], sequence_length=9)
    (ids,) = batch["token_ids"]
    pieces = [english.id_to_piece(i).strip("\u2581") for i in ids]
    assert pieces == "[CLS] one two three [SEP] one two three [SEP]".split()
    (ids,) = english([a], pairs=[b], sequence_length=8)["token_ids"]
    pieces = [english.id_to_piece(i).strip("\u2581") for i in ids]
    assert pieces == "[CLS] one two three [SEP] one two [SEP]".split()


def test_decoding_gives_back_normalized_text(english):
    batch = english(["Crème brûlée is good"], sequence_length=20)
    assert english.decode(batch["token_ids"][0]) == "creme brulee is good"


def test_case_and_accents_stay_where_the_settings_say_so():
    assert normalize_text(" Crème\t\nÉté ") == "creme ete"
    assert normalize_text("Crème", lowercase=False) == "Creme"
    assert normalize_text("Crème", remove_accents=False) == "crème"


def test_a_string_in_place_of_a_list_is_refused(corpus):
    tokenizer = AlbertTokenizer.from_pretrained(corpus)
    with pytest.raises(ValueError, match="`texts` must be a list of strings"):
        tokenizer("Hello")
    with pytest.raises(ValueError, match="2 texts, 1 pairs"):
        tokenizer(["a", "b"], pairs=["c"])
    with pytest.raises(ValueError, match="must leave room.*Received: 3"):
        tokenizer(["a"], pairs=["b"], sequence_length=3)


def test_a_file_that_is_no_vocabulary_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="missing.model does not exist"):
        AlbertTokenizer(tmp_path / "missing.model")
    (tmp_path / "text.model").write_text("not a model")
    with pytest.raises(ValueError, match="text.model is not a SentencePiece"):
        AlbertTokenizer(tmp_path / "text.model")


def test_a_vocabulary_without_the_special_pieces_is_refused(
    tmp_path, text_file
):
    sentencepiece.SentencePieceTrainer.train(
        input=str(text_file),
        model_prefix=str(tmp_path / "plain"),
        vocab_size=100,
        minloglevel=2,
    )
    with pytest.raises(
        ValueError, match=r"no piece '\[CLS\]'|no piece '<pad>'"
    ):
        AlbertTokenizer(tmp_path / "plain.model")


def test_a_trained_vocabulary_has_alberts_special_ids(corpus):
    tokenizer = AlbertTokenizer.from_pretrained(corpus)
    assert tokenizer.vocabulary_size == 150
    pieces = [tokenizer.id_to_piece(i) for i in range(13)]
    assert pieces[:5] == ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    assert pieces[5:13] == ["(", ")", '"', "-", ".", "–", "£", "€"]
    assert tokenizer.encode(["a.b"])[0].count(9) == 1


def test_a_corpus_too_small_for_the_vocabulary_says_how_much_it_yields(
    tmp_path,
):
    with pytest.raises(ValueError, match=r"too small for 5000 pieces.*\d+ or"):
        train_vocabulary(["a few words"] * 20, tmp_path / "v.model", 5000)
    assert not list(tmp_path.iterdir())
