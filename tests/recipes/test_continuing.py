"""Runs that continue on other data, without work, or next to another run."""

import json
import shutil

import pytest

from albert_keras.files import directory_lock
from albert_keras.files.directory_lock import DirectoryLock
from albert_keras.training.runs.checkpoint import DESCRIPTION_FILE
from tests.conftest import make_corpus, make_text
from tests.full_disk import only_small_files

# Those of the fixture `pretraining_run`.
FLAGS = (
    "--model_size tiny --max_seq_length 32 --batch_size 8 --total_steps 12 "
    "--log_frequency 2 --validation_frequency 4 --validation_steps 2 "
    "--checkpoint_frequency 20"
).split()


@pytest.fixture
def pretrain(recipe):
    def run(data_dir, output_dir, *more):
        argv = ["--data_dir", data_dir, "--output_dir", output_dir]
        recipe("pretrain").main([*map(str, argv), *FLAGS, *map(str, more)])

    return run


@pytest.fixture(scope="module")
def other_corpus(tmp_path_factory):
    """Other text, with another vocabulary of the same size."""
    directory = tmp_path_factory.mktemp("other")
    return make_corpus(directory, make_text(seed=1).swapcase())


@pytest.fixture(scope="module")
def longer_corpus(corpus, text_file, tmp_path_factory):
    """More text with the vocabulary of `corpus`."""
    directory = tmp_path_factory.mktemp("longer")
    text = text_file.read_text() + "\n" + make_text(20, seed=2)
    return make_corpus(directory, text, corpus / "vocabulary.model")


@pytest.fixture
def copies(corpus, pretraining_run, tmp_path):
    """Copies of corpus and run, at the paths in the run's settings."""
    run = shutil.copytree(pretraining_run, tmp_path / "run")
    settings = run / "settings.yaml"
    data = tmp_path / "data"
    settings.write_text(settings.read_text().replace(str(corpus), str(data)))
    path = run / "checkpoints" / "step-00000012" / DESCRIPTION_FILE
    description = json.loads(path.read_text())
    description["settings"]["data_dir"] = str(data)
    path.write_text(json.dumps(description))
    return shutil.copytree(corpus, data), run


def replace(directory, other):
    shutil.rmtree(directory)
    shutil.copytree(other, directory)


@pytest.mark.slow
def test_another_vocabulary_of_the_same_size_is_refused(
    pretrain, pretraining_run, other_corpus, copies, tmp_path
):
    message = r"another vocabulary than the corpus .* ids stand for other"
    sources = {
        "pretrained": ("--pretrained", pretraining_run),
        "checkpoint": ("--checkpoint_path", pretraining_run),
    }
    for load_from, source in sources.items():
        with pytest.raises(SystemExit, match=f"{message}.*--load_from scratch"):
            pretrain(
                *(other_corpus, tmp_path / "out", "--load_from", load_from),
                *source,
            )
        assert not (tmp_path / "out").exists()
    data, run = copies
    replace(data, other_corpus)
    before = sorted(run.rglob("*"))
    with pytest.raises(SystemExit, match=f"{message}.*Resume with the corpus"):
        pretrain(data, run, "--resume")
    assert sorted(run.rglob("*")) == before


@pytest.mark.slow
def test_a_full_disk_at_a_checkpoint_is_explained_and_the_run_resumes(
    pretrain, pretraining_run, longer_corpus, tmp_path
):
    command = (
        *(longer_corpus, tmp_path / "out", "--total_steps", 13),
        *("--load_from", "checkpoint", "--checkpoint_path", pretraining_run),
    )
    message = (
        "pretrain: .*step-00000013 cannot be written: .* It needs .* MB. .* "
        "are free. The earlier checkpoints are intact. Make room or pass a "
        "--checkpoint_dir .* with --resume"
    )
    with pytest.raises(SystemExit, match=message):
        with only_small_files(1_000_000):
            pretrain(*command)
    checkpoints = tmp_path / "out" / "checkpoints"
    assert not list(checkpoints.iterdir())
    # Also a run that continues on more text of the same vocabulary.
    pretrain(*command, "--resume")
    assert (checkpoints / "step-00000013").is_dir()


def test_more_text_is_for_a_new_run_and_not_for_the_same(
    pretrain, longer_corpus, copies
):
    data, run = copies
    replace(data, longer_corpus)
    message = "step-00000012 was trained on other data than this: corpus .*data"
    with pytest.raises(
        SystemExit, match=f"{message}: documents 300 then, 320 now, tokens"
    ):
        pretrain(data, run, "--resume")


def test_a_run_without_anything_left_to_do_says_so(
    pretrain, corpus, pretraining_run, copies, tmp_path, capsys
):
    checkpoint = ("--load_from", "checkpoint", "--checkpoint_path")
    message = "nothing left to do: .*12 updates .*--total_steps is 12. Pass a"
    with pytest.raises(SystemExit, match=message):
        pretrain(corpus, tmp_path / "out", *checkpoint, pretraining_run)
    with pytest.raises(SystemExit, match="holds no checkpoint.*--load_from"):
        pretrain(corpus, tmp_path / "out", *checkpoint, corpus)
    assert not (tmp_path / "out").exists()
    data, run = copies
    pretrain(data, run, "--resume")
    shown = capsys.readouterr().out
    assert "Nothing left to do: the run has all of its 12 updates" in shown
    # Where only the checkpoints survive, as in a SageMaker job.
    settings = ("--checkpoint_dir", run / "checkpoints", "--resume")
    pretrain(data, tmp_path / "new", *settings)
    assert "Nothing left to do" in capsys.readouterr().out


def test_another_global_batch_is_refused(pretrain, copies):
    data, run = copies
    with pytest.raises(SystemExit, match="global_batch: 8 then, 4 now"):
        pretrain(data, run, "--resume", "--batch_size", 4)


def test_a_run_beside_another_in_its_directory_is_refused(
    pretrain, copies, monkeypatch
):
    monkeypatch.setattr(directory_lock, "_TIMEOUT", 0.1)
    data, run = copies
    with DirectoryLock(run, "A training run"):
        with pytest.raises(SystemExit, match="run is in use.*--output_dir"):
            pretrain(data, run, "--resume")
        with pytest.raises(SystemExit, match="run is in use"):
            pretrain(data, run)


@pytest.mark.parametrize(
    "mode, use", [("evaluate", "An evaluation"), ("predict", "A prediction")]
)
def test_two_results_at_once_in_one_directory_are_refused(
    recipe, tmp_path, monkeypatch, mode, use
):
    monkeypatch.setattr(directory_lock, "_TIMEOUT", 0.1)
    words = tmp_path / "words.txt"
    words.write_text("bade O\n")
    result = tmp_path / "result"
    flag = {"evaluate": "--dev_file", "predict": "--test_file"}[mode]
    argv = ["--mode", mode, "--pretrained", str(tmp_path / "none")]
    argv += [flag, str(words), "--output_dir", str(result)]
    used = []

    def note(*_):
        """Takes the place of the first step of an evaluation."""
        with pytest.raises(SystemExit, match=f"result is in use. {use} is"):
            tokens.main(argv)
        used.append(sorted(path.name for path in result.iterdir()))
        raise ValueError("enough")

    tokens = recipe("finetune_tokens")
    monkeypatch.setattr("albert_keras.workflows.evaluate.load_tokenizer", note)
    with pytest.raises(SystemExit, match="enough"):
        tokens.main(argv)
    assert used == [[directory_lock.LOCK_FILE]]
    assert not result.exists()
