"""CoNLL's files, and windows of labeled words."""

import numpy as np
import pytest

from albert_keras.data.tasks.conll import read_conll
from albert_keras.data.tasks.token_windows import TokenWindows

TEXT = """-DOCSTART- -X- O O

Bade NNP I-NP B-PER
rigo VBZ I-VP O

# NN I-NP O
-DOCSTART- -X- O O
"ta NN I-NP B-LOC
"""


@pytest.fixture
def read(tmp_path):
    def read(text, **kwargs):
        path = tmp_path / "words.txt"
        path.write_text(text, encoding="utf-8")
        return read_conll(path, **kwargs)

    return read


# === Reading ===


def test_blank_lines_and_document_starts_end_sentences(read):
    conll = read(TEXT)
    assert [s.words for s in conll.sentences] == [
        ["Bade", "rigo"],
        ["#"],
        ['"ta'],
    ]
    assert conll.tags == [["B-PER", "O"], ["O"], ["B-LOC"]]
    assert [s.line for s in conll.sentences] == [3, 6, 8]
    assert conll.tag_names == ("O", "B-LOC", "B-PER")
    assert conll.num_words == 4


def test_tabs_and_spaces_separate_and_words_keep_what_is_inside(read):
    assert read("a b\tO\nc\u00a0d\tB-X\n").sentences[0].words == [
        "a b",
        "c\u00a0d",
    ]
    assert read("a   O\nb  B-X\n\t\nc O").tags == [["O", "B-X"], ["O"]]


def test_words_alone_will_do_where_no_tags_are_asked_for(read):
    conll = read("a\nb\n\nc\n", has_tags=False)
    assert [s.words for s in conll.sentences] == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    "text, message",
    [
        ("a O\nb\n", "line 2: expected a word and, in the last column"),
        ("a N O\nb O\n", "line 2: expected 3 columns, as on line 1"),
        ("\na O\n\nb N O\n", "line 4: expected 2 columns, as on line 2"),
        ("a\t\n", "line 1: word or tag is empty"),
        ("\tO\n", "line 1: word or tag is empty"),
        ("", "holds no word"),
        ("-DOCSTART- -X- O O\n\n", "holds no word"),
    ],
)
def test_a_wrong_file_is_refused_by_line(read, text, message):
    with pytest.raises(ValueError, match=f"words.txt.*{message}"):
        read(text)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ValueError, match="none.txt does not exist"):
        read_conll(tmp_path / "none.txt")


# === Encoding ===


def test_the_first_piece_of_each_word_has_its_label(read, store):
    tokenizer = store.tokenizer
    conll = read("Bade B-PER\nrigonusta O\nta B-LOC\n")
    windows = TokenWindows(conll, conll.tag_names, tokenizer, 32)
    inputs, labels, weights = windows.batch(np.array([0]), 32)
    ids, expected_labels, expected_weights = [tokenizer.cls_id], [0], [0]
    for word, label in (("Bade", 2), ("rigonusta", 0), ("ta", 1)):
        tokens = tokenizer.encode([word])[0]
        ids += tokens
        expected_labels += [label] + [0] * (len(tokens) - 1)
        expected_weights += [1] + [0] * (len(tokens) - 1)
    ids.append(tokenizer.sep_id)
    length = len(ids)
    assert length > 6 and windows.lengths.tolist() == [length]
    assert inputs["token_ids"][0, :length].tolist() == ids
    assert inputs["padding_mask"].sum() == length
    assert labels[0, : length - 1].tolist() == expected_labels
    assert weights[0, : length - 1].tolist() == expected_weights
    assert weights.sum() == 3 and weights.dtype == "float32"


def test_a_word_of_which_nothing_is_made_is_unknown_and_still_counts(
    read, store
):
    conll = read("a O\n\u200b B-X\nb O\n")
    assert store.tokenizer.encode(["\u200b"]) == [[]]
    windows = TokenWindows(conll, conll.tag_names, store.tokenizer, 32)
    inputs, _, weights = windows.batch(np.array([0]), 32)
    assert store.tokenizer.unknown_id in inputs["token_ids"]
    assert weights.sum() == 3


def test_words_with_other_tags_have_no_label_and_are_listed(read, store):
    conll = read("a O\nb B-X\n\nc B-Y\n")
    windows = TokenWindows(conll, ("O", "B-X"), store.tokenizer, 32)
    assert windows.unknown_tags == [(4, "B-Y")]
    assert windows.batch(np.array([0, 1]), 32)[2].sum(axis=1).tolist() == [2, 0]


@pytest.mark.parametrize("sequence_length", [3, 5, 8, 13, 40])
def test_each_word_counts_in_exactly_one_window_and_none_is_lost(
    read, store, rng, sequence_length
):
    tokenizer = store.tokenizer
    sentences = [
        rng.choice(["ta", "bade", "rigonusta", "kelemofupiti"], n)
        for n in (1, 3, 30, 60)
    ]
    tags = [rng.choice(["O", "B-X", "B-Y"], len(words)) for words in sentences]
    conll = read(
        "\n\n".join(
            "\n".join(f"{w} {t}" for w, t in zip(words, row, strict=True))
            for words, row in zip(sentences, tags, strict=True)
        )
    )
    windows = TokenWindows(conll, conll.tag_names, tokenizer, sequence_length)
    assert windows.lengths.max() <= sequence_length
    everything = np.arange(len(windows))
    inputs, labels, weights = windows.batch(everything, sequence_length)
    assert weights.sum() == conll.num_words
    # Predictions equal to the labels yield every tag.
    rows = np.where(weights > 0, labels, -1)
    assert windows.tags_of_words(rows) == conll.tags
    room = sequence_length - 2
    long_words = {
        w for w in set(sentences[-1]) if num_tokens(tokenizer, w) > room
    }
    assert {word for _, word in windows.cut_words} == long_words
    # Each window starts with the first token of a word.
    firsts = {tokenizer.encode([str(w)])[0][0] for s in sentences for w in s}
    assert set(inputs["token_ids"][:, 1].tolist()) <= firsts


def num_tokens(tokenizer, word):
    return len(tokenizer.encode([str(word)])[0])


def test_words_count_where_they_have_most_context(read, store):
    conll = read("ta O\n" * 40)
    one = num_tokens(store.tokenizer, "ta")
    windows = TokenWindows(conll, ("O",), store.tokenizer, 16 * one + 2)
    width = windows.sequence_length
    _, _, weights = windows.batch(np.arange(len(windows)), width)
    counted = weights[:, 1:-1:one].astype(int)  # (windows, 16 words)
    # Windows of 16 words begin every 8 words; of inner ones, the middle half
    # is labeled.
    assert counted[1].tolist() == [0] * 4 + [1] * 8 + [0] * 4
    assert counted[0].tolist() == [1] * 12 + [0] * 4
    assert counted[-1].tolist() == [0] * 4 + [1] * 12
    assert windows.num_cut_sentences == 1
    with pytest.raises(ValueError, match="must leave room for words"):
        TokenWindows(conll, ("O",), store.tokenizer, 2)
