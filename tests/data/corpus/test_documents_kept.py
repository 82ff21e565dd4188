"""As many documents are written as are read, in any script and any chunks."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from albert_keras.data import AlbertTokenizer, TokenStore
from albert_keras.data.corpus.prepare import prepare_corpus

# Words of twelve scripts, and the mark that ends a sentence in each.
SCRIPTS = {
    "Latin": ("wort straße élan über", "."),
    "Greek": ("λόγος και το νερό", "."),
    "Cyrillic": ("слово и дом вода", "."),
    "Armenian": ("բառ տուն ջուր և", "։"),
    "Hebrew": ("מילה בית מים של", "."),
    "Arabic": ("كلمة بيت ماء في", "؟"),
    "Devanagari": ("शब्द घर पानी और", "।"),
    "Tamil": ("சொல் வீடு நீர் ஒரு", "."),
    "Thai": ("คำ บ้าน น้ำ และ", " "),
    "Georgian": ("სიტყვა სახლი წყალი და", "."),
    "Hangul": ("단어 집 물 그리고", "."),
    "Han": ("词语 房子 水 和 漢字", "。"),
}

# Of examples that take 0.2 s each.
FEW = hypothesis.settings.default.max_examples // 4


@st.composite
def documents(draw):
    """A document: paragraphs of sentences in one script."""
    words, mark = SCRIPTS[draw(st.sampled_from(sorted(SCRIPTS)))]
    word = st.sampled_from(words.split())
    sentence = st.lists(word, min_size=2, max_size=8).map(
        lambda chosen: " ".join(chosen) + mark
    )
    paragraph = st.lists(sentence, min_size=1, max_size=3).map(" ".join)
    # Two paragraphs at least: the first may look like a heading.
    lines = draw(st.lists(paragraph, min_size=2, max_size=4))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def vocabulary(request):
    corpus = request.getfixturevalue("corpus")
    return AlbertTokenizer(corpus / "vocabulary.model").path


def prepare(texts, directory, vocabulary, **settings):
    path = directory / "texts.txt"
    path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    target = directory / "-".join(map(str, settings.values()))
    manifest = prepare_corpus(
        [path], target, vocabulary, overwrite=True, **settings
    )
    return manifest, TokenStore(target)


@hypothesis.settings(max_examples=FEW)
@hypothesis.given(
    texts=st.lists(documents(), min_size=1, max_size=12),
    size=st.sampled_from([20, 64, 200, 1000]),
)
@pytest.mark.heavy
def test_documents_written_are_documents_read_in_any_script_and_chunks(
    texts, size, vocabulary, tmp_path
):
    whole, store = prepare(texts, tmp_path, vocabulary, workers=1)
    assert whole["num_documents"] == len(texts)
    assert whole["report"]["documents_read"] == len(texts)
    manifest, other = prepare(
        texts, tmp_path, vocabulary, workers=1, shard_megabytes=size / 1e6
    )
    assert manifest["files"] == whole["files"]
    np.testing.assert_array_equal(store.tokens, other.tokens)


@pytest.mark.process
@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_workers_changes_no_document(
    workers, vocabulary, tmp_path
):
    texts = [
        f"{words} {mark}\n{words[::-1]} {number}{mark}"
        for number in range(5)
        for words, mark in SCRIPTS.values()
    ]
    counted = [
        prepare(
            texts,
            tmp_path,
            vocabulary,
            workers=count,
            shard_megabytes=megabytes,
        )[0]
        for count, megabytes in ((1, 8.0), (workers, 0.0005))
    ]
    assert counted[0]["num_documents"] == len(texts)
    assert counted[1]["files"] == counted[0]["files"]
