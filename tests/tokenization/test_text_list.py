"""Lists of texts: strings in their place, and items that are no strings."""

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.data.tasks.encoded_texts import encode_texts
from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.data.tasks.race import Race, RaceQuestion, read_race
from albert_keras.data.tasks.race_choices import RaceChoices
from albert_keras.data.tasks.squad import Question, Squad
from albert_keras.data.tasks.squad_windows import SquadWindows
from albert_keras.evaluation.fill_mask import fill_masks
from albert_keras.evaluation.squad_metrics import squad_metrics
from albert_keras.evaluation.token_evaluation import entity_scores
from albert_keras.tokenization.text_list import text_list
from albert_keras.tokenization.vocabulary_training import train_vocabulary
from albert_keras.workflows.settings.task_settings import SquadSettings

TEXTS = ["ba do", "le", ""]


@pytest.fixture(params=["google", "huggingface"])
def tokenizer(corpus, request):
    return ak.AlbertTokenizer.from_pretrained(corpus, style=request.param)


# The functions of a tokenizer that take a list of texts.
WAYS = {
    "encode": lambda tokenizer, texts: tokenizer.encode(texts),
    "encode_with_offsets": lambda tokenizer, texts: (
        tokenizer.encode_with_offsets(texts)
    ),
    "call": lambda tokenizer, texts: tokenizer(texts),
    "pairs": lambda tokenizer, texts: tokenizer(["ba"] * 3, pairs=texts),
    "offsets": lambda tokenizer, texts: tokenizer(texts, return_offsets=True),
    "encoder": lambda tokenizer, texts: tokenizer.encoder.encode(texts),
    "encode_texts": encode_texts,
    "examples": lambda tokenizer, texts: LabelledTexts(
        (texts,), None, tokenizer
    ),
    "pairs of examples": lambda tokenizer, texts: LabelledTexts(
        (["ba"] * 3, texts), None, tokenizer
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "texts, received",
    [
        ("abc", "str 'abc'"),
        (np.str_("abc"), "str"),
        (b"abc", "bytes"),
        (None, "NoneType"),
        (3, "int"),
        ({"a": "b"}, "dict"),
        ({"a", "b", "c"}, "set"),
        (np.array("abc"), r"shape \(\)"),
        (np.array([["a"], ["b"], ["c"]]), r"shape \(3, 1\)"),
        (["a", "b", None], "None .NoneType. in row 2, counted from 0"),
        (["a", float("nan"), None], "nan .float. in row 1.* 1 more row"),
        (["a", "b", 5], "5 .int. in row 2"),
        (["a", ["b"], "c"], "list. in row 1"),
        (np.array([b"a", b"b", b"c"]), "bytes_. in row 0"),
    ],
)
def test_what_is_no_list_of_strings_is_refused(tokenizer, way, texts, received):
    if way == "pairs" and texts is None:
        return
    with pytest.raises(ValueError, match=f"list of strings.*{received}"):
        WAYS[way](tokenizer, texts)


@pytest.mark.parametrize("way", WAYS)
def test_arrays_tuples_and_iterables_of_strings_are_lists(tokenizer, way):
    def content(result):
        if isinstance(result, dict):
            return {key: array.tolist() for key, array in result.items()}
        encoded = getattr(result, "_encoded", result)
        if hasattr(encoded, "bounds"):
            return encoded.ids.tolist(), encoded.bounds.tolist()
        return result

    expected = content(WAYS[way](tokenizer, TEXTS))
    for texts in (
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        dict.fromkeys(TEXTS).keys(),
        iter(TEXTS),
    ):
        assert content(WAYS[way](tokenizer, texts)) == expected


def test_a_column_of_pandas_is_a_list_and_a_table_is_not(corpus):
    pandas = pytest.importorskip("pandas")
    tokenizer = ak.AlbertTokenizer.from_pretrained(corpus)
    table = pandas.DataFrame({"text": TEXTS}, index=[7, 3, 5])
    assert tokenizer.encode(table["text"]) == tokenizer.encode(TEXTS)
    with pytest.raises(ValueError, match=r"DataFrame of the shape \(3, 1\)"):
        tokenizer.encode(table)
    table.loc[3, "text"] = None
    with pytest.raises(ValueError, match="in row 1, counted from 0"):
        tokenizer(table["text"], sequence_length=8)


def test_numpys_strings_become_strings():
    assert [type(text) for text in text_list(np.array(["a", "b"]))] == [str] * 2


def test_ids_as_a_string_are_refused(corpus):
    tokenizer = ak.AlbertTokenizer.from_pretrained(corpus)
    with pytest.raises(ValueError, match="list of integers. Received: '12'"):
        tokenizer.decode("12")


def test_the_rows_of_examples_are_one_or_two_lists_with_labels(corpus):
    tokenizer = ak.AlbertTokenizer.from_pretrained(corpus)
    for texts in ("abc", ["a", "b", "c"], []):
        with pytest.raises(ValueError, match=r"into a tuple: `\(texts,\)`"):
            LabelledTexts(texts, None, tokenizer)
    with pytest.raises(ValueError, match=r"`texts\[0\]` must be a list"):
        LabelledTexts(["a b", "c d"], None, tokenizer)
    with pytest.raises(ValueError, match="Received: 2 and 1 texts"):
        LabelledTexts((["a", "b"], ["c"]), None, tokenizer)
    with pytest.raises(ValueError, match="3 labels, 2 rows"):
        LabelledTexts((["a", "b"],), [0, 1, 1], tokenizer)
    examples = LabelledTexts((["a", "b"],), [0, 1], tokenizer)
    assert examples.batch(np.array([1]), 8)[1].tolist() == [1]


def test_passages_options_paragraphs_and_questions_are_texts(corpus):
    tokenizer = ak.AlbertTokenizer.from_pretrained(corpus)

    def race(passages=("ba do",), options=("a", "b", "c", "d")):
        questions = (RaceQuestion(passage=0, text="ba?", options=options),)
        return Race(passages, ("1",), ("middle",), questions)

    def squad(paragraphs=("ba do",), text="ba?"):
        question = Question(id="1", text=text, paragraph=0)
        return Squad(paragraphs, (question,), "2.0")

    RaceChoices(race(), tokenizer)
    SquadWindows(squad(), tokenizer)
    for make, message in (
        (lambda: RaceChoices(race(passages="ba"), tokenizer), "`passages`"),
        (lambda: RaceChoices(race(options="abcd"), tokenizer), "`options`"),
        (lambda: SquadWindows(squad("ba do"), tokenizer), "`paragraphs`"),
        (lambda: SquadWindows(squad(text=None), tokenizer), "`questions`"),
        (lambda: read_race("somewhere", "dev", levels="high"), "`levels`"),
    ):
        with pytest.raises(ValueError, match=f"{message} must be a list of"):
            make()


def test_tags_class_names_and_sentences_are_lists(tmp_path):
    with pytest.raises(ValueError, match=r"`labels\[0\]` must be a list of"):
        entity_scores(["B-PER", "O"], [["B-PER"], ["O"]])
    config = ak.AlbertConfig.tiny(vocabulary_size=50)
    backbone = ak.AlbertBackbone.from_config(config)
    for model in (
        ak.AlbertForSequenceClassification,
        ak.AlbertForTokenClassification,
    ):
        with pytest.raises(ValueError, match="`class_names` must be a list"):
            model(backbone, num_classes=3, class_names="abc")
    for sentences, message in (("abc", "str 'abc'"), (["a", None], "row 1")):
        with pytest.raises(ValueError, match=message):
            train_vocabulary(sentences, tmp_path / "v.model", 50)


def test_one_text_is_no_list(corpus):
    tokenizer = ak.AlbertTokenizer.from_pretrained(corpus)
    for text in (["ba [MASK]"], None):
        with pytest.raises(ValueError, match="`text` must be one string"):
            fill_masks(None, tokenizer, text)


def test_predictions_and_questions_are_strings():
    squad = Squad(("ba",), (Question("1", "ba?", 0),), "2.0")
    with pytest.raises(ValueError, match="Received: None .NoneType. for '1'"):
        squad_metrics(squad, {"1": None})
    settings = SquadSettings(
        pretrained="runs/squad",
        mode="predict",
        question="Who?",
        text_file="notes.txt",
    )
    with pytest.raises(ValueError, match="`question` must be a list"):
        settings.check()
