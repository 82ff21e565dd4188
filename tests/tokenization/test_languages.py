"""German, Chinese and mixed text, from raw text to masked batches."""

import numpy as np
import pytest

from albert_keras.data import PretrainingDataset, TokenStore
from albert_keras.data.corpus.prepare import prepare_corpus
from albert_keras.data.reading.sentence_splitting import sentence_splitter
from albert_keras.tokenization.word_boundaries import word_begin_mask

GERMAN = (
    "Die Veröffentlichung erscheint am 3. Oktober in der Straße. "
    "Größere Überraschungen gab es z. B. bei den Äpfeln. "
    "Der Rechtsschutzversicherer zahlt; die Bücher bleiben! "
)
CHINESE = (
    "北京是中华人民共和国的首都。它有两千多万人口，是全国的文化中心。"
    "他问：“你好吗？”然后走了。上海在长江口！"
)


def write_text(path, parts, rng, documents=120):
    """Writes documents of randomly chosen sentences."""
    texts = []
    for _ in range(documents):
        chosen = rng.permutation(parts)[: rng.integers(4, 9)]
        texts.append(" ".join(chosen) + f" {rng.integers(1000)}.")
    path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return path


def prepare(path, directory, **kwargs):
    prepare_corpus(
        [path],
        directory,
        vocabulary_size=kwargs.pop("vocabulary_size", 150),
        lowercase=False,
        remove_accents=False,
        workers=1,
        **kwargs,
    )
    return TokenStore(directory)


def assert_whole_words(store):
    """Checks, independently of the masking code, that words are masked whole.

    Returns:
        The number of masked words of several tokens.
    """
    starts = word_begin_mask(store.tokenizer)[store.tokens]
    word = np.cumsum(starts)
    dataset = PretrainingDataset(
        store, 24, 200, split="all", masked_lm_prob=0.3
    )
    inputs, labels, weights = dataset[0]
    pairs = dataset.segment_pairs(np.arange(200))
    several = 0
    for row in range(200):
        real = weights["mlm"][row] > 0
        predicted = set(inputs["mask_positions"][row][real].tolist())
        for offset, start, length in (
            (1, pairs.first_start[row], pairs.first_length[row]),
            (
                2 + pairs.first_length[row],
                pairs.second_start[row],
                pairs.second_length[row],
            ),
        ):
            inside = np.arange(start, start + length)
            for number in np.unique(word[inside]):
                tokens = inside[word[inside] == number]
                chosen = {int(offset + p - start) in predicted for p in tokens}
                assert len(chosen) == 1
                several += len(tokens) > 1 and chosen == {True}
    return several


def test_german_words_stay_whole_with_a_german_vocabulary(
    shared_data, tmp_path, rng
):
    sentences = [s + "." for s in GERMAN.replace("!", ".").split(". ") if s]
    path = write_text(tmp_path / "de.txt", sentences, rng)
    store = prepare(
        path,
        tmp_path / "c",
        vocabulary=shared_data("german-30k.model"),
        language="de",
    )
    # The only character that the vocabulary lacks is ß.
    unknown = store.manifest["report"]["common_unknown"]
    assert {text for text, _ in unknown} == {"ß"}
    assert "Rechtsschutzversicherer" in store.tokenizer.decode(store.tokens)
    assert store.manifest["report"]["words"] > 1000
    assert assert_whole_words(store) > 20


def test_german_abbreviations_and_dates_do_not_end_a_sentence():
    assert sentence_splitter("de")(GERMAN) == [
        "Die Veröffentlichung erscheint am 3. Oktober in der Straße.",
        "Größere Überraschungen gab es z. B. bei den Äpfeln.",
        "Der Rechtsschutzversicherer zahlt; die Bücher bleiben!",
    ]


def test_chinese_has_a_vocabulary_and_each_piece_is_a_word(tmp_path, rng):
    sentences = sentence_splitter()(CHINESE)
    assert len(sentences) == 5
    assert sentences[2] == "他问：“你好吗？”"
    path = write_text(tmp_path / "zh.txt", sentences, rng)
    store = prepare(path, tmp_path / "c", vocabulary_size=90)
    assert store.manifest["unknown_rate"] == 0
    pieces = [store.tokenizer.id_to_piece(i) for i in range(5, 90)]
    assert any(len(piece.strip("▁")) > 1 for piece in pieces), "words"
    starts = word_begin_mask(store.tokenizer)
    chinese = [
        token_id
        for token_id in range(5, 90)
        if "一" <= store.tokenizer.id_to_piece(token_id)[-1] <= "鿿"
    ]
    assert len(chinese) > 35 and starts[chinese].all()
    assert_whole_words(store)


def test_a_mixture_of_languages_keeps_the_words_of_each(tmp_path, rng):
    english = ["Hello there, my friend.", "The U.S. left. It ended."]
    sentences = [*sentence_splitter()(CHINESE), *GERMAN.split(". "), *english]
    path = write_text(tmp_path / "mixed.txt", sentences, rng)
    store = prepare(path, tmp_path / "c", vocabulary_size=190)
    assert store.manifest["unknown_rate"] == 0
    text = store.tokenizer.decode(store.tokens)
    for word in ("北京", "Größere", "friend"):
        assert word in text
    assert assert_whole_words(store) > 5


def test_a_language_that_the_vocabulary_does_not_know_shows(corpus, tmp_path):
    path = tmp_path / "zh.txt"
    path.write_text(CHINESE + "\n\n" + CHINESE, encoding="utf-8")
    manifest = prepare_corpus(
        [path], tmp_path / "c", corpus / "vocabulary.model"
    )
    assert manifest["unknown_rate"] > 0.3
    unknown = manifest["report"]["common_unknown"]
    assert any("北京" in text for text, _ in unknown)
    assert unknown[0][1] >= unknown[-1][1]


@pytest.mark.parametrize("piece", ["ने", "กา", "ガ"])
def test_marks_belong_to_their_letters(piece):
    from albert_keras.tokenization.word_boundaries import begins_word

    assert begins_word(piece) is not piece.startswith("न")
