"""Flags override a file, which overrides defaults."""

import dataclasses

import pytest

from albert_keras.workflows.settings.parse_settings import (
    FIELD_OF_ARGUMENT,
    name_flags,
    parse_settings,
    run_recipe,
)
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)
from albert_keras.workflows.settings.task_settings import SquadSettings

REQUIRED = ["--data_dir", "d", "--output_dir", "o"]


def parse(argv):
    return parse_settings(PretrainingSettings, argv)


def test_flags_override_the_file_and_the_file_the_defaults(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "total_steps: 7\nlearning_rate: 1.0e-3\nresume: true\n"
        "pre_layer_norm: false\nmodel_size: tiny\nwarmup_steps: null\n"
    )
    settings = parse(["--config", str(path), *REQUIRED, "--total_steps", "9"])
    assert settings.total_steps == 9
    assert settings.learning_rate == 0.001
    assert settings.resume and not settings.pre_layer_norm
    assert settings.model_size == "tiny" and settings.warmup_steps is None
    assert settings.batch_size == 32
    again = parse([f"--config={path}", *REQUIRED, "--no_resume"])
    assert not again.resume


@pytest.mark.parametrize(
    "content, message",
    [
        ("total_step: 7\n", "must hold fields.*total_step"),
        ("- 7\n", "must hold fields"),
        ("a: b: c\n", "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "run.yaml"
    path.write_text(content)
    with pytest.raises(SystemExit, match=f"run.yaml {message}"):
        parse(["--config", str(path), *REQUIRED])
    with pytest.raises(SystemExit, match="none.yaml cannot be read"):
        parse(["--config", str(tmp_path / "none.yaml"), *REQUIRED])
    with pytest.raises(SystemExit, match="needs the path"):
        parse(["--config"])


@pytest.mark.parametrize(
    "argv",
    [[], [*REQUIRED, "--model_size", "huge"], [*REQUIRED, "--steps", "1"]],
)
def test_wrong_flags_end_with_a_usage_message(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(argv)
    assert stop.value.code == 2
    assert capsys.readouterr().err


def test_every_setting_has_a_sentence_in_the_help(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    fields = dataclasses.fields(PretrainingSettings)
    for field in fields:
        assert f"--{field.name}" in shown
    assert shown.count("(default:") == len(fields) - 2
    assert shown.count("(required)") == 2


def test_required_settings_and_a_recipes_own_come_first_in_the_help():
    for settings, first in (
        (PretrainingSettings, ["data_dir", "output_dir", "run_name"]),
        (SquadSettings, ["pretrained", "output_dir", "mode"]),
    ):
        names = [field.name for field in dataclasses.fields(settings)]
        assert names[:3] == first and names[-1] == "wandb_project"


def test_the_learning_rate_follows_the_square_root_of_the_batch():
    settings = parse([*REQUIRED, "--batch_size", "64"])
    assert settings.peak_learning_rate(64) == pytest.approx(0.00176)
    assert settings.peak_learning_rate(16) == pytest.approx(0.00088)
    tiny = parse([*REQUIRED, "--model_size", "tiny"])
    assert tiny.peak_learning_rate(1) == 0.007
    adamw = parse([*REQUIRED, "--optimizer", "adamw"])
    assert adamw.peak_learning_rate(64) == 5e-4
    assert settings.warmup() == 3125
    assert settings.compute_global_batch_size(8) == 512
    assert settings.tokens_per_update(8) == 512 * 512


def test_settings_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ValueError, match="--batch_size must be above 0"):
        parse([*REQUIRED, "--batch_size", "0"]).check()
    with pytest.raises(ValueError, match="--pretrained go together"):
        parse([*REQUIRED, "--load_from", "pretrained"]).check()
    with pytest.raises(ValueError, match="--checkpoint_path go together"):
        parse([*REQUIRED, "--checkpoint_path", "c"]).check()


def test_booleans_are_taken_with_a_value_too():
    settings = parse(
        [*REQUIRED, "--resume", "true", "--skip_xla=True", "--eager", "false"]
        + ["--bias_correction=false", "--name", "true"]
    )
    assert settings.resume and settings.skip_xla
    assert not settings.eager and not settings.bias_correction
    assert settings.name == "true"


def test_flags_of_the_aws_sample_are_taken_or_refused(capsys):
    settings = parse(
        ["--train_dir=corpus/train", "--val_dir", "corpus/val"]
        + ["--output_dir", "o", "--per_gpu_batch_size", "4"]
    )
    assert settings.data_dir == "corpus" and settings.batch_size == 4
    notes = capsys.readouterr().err
    assert "--per_gpu_batch_size is now --batch_size" in notes
    assert "replaced by --data_dir corpus" in notes
    for flags, remedy in (
        (["--log_dir=logs"], "in its --output_dir"),
        (["--dummy_eval", "true"], "Omit the flag"),
        (["--load_from", "huggingface"], "--pretrained hf://OWNER/NAME"),
        (["--optimizer=adam"], "--optimizer adamw"),
        (["--model_type", "electra"], "only ALBERT"),
        (["--train_dir", "a/t", "--val_dir", "b/v"], "as --data_dir"),
    ):
        with pytest.raises(SystemExit, match=remedy):
            parse([*REQUIRED, *flags])


@pytest.mark.parametrize(
    "message, shown",
    [
        ("Pass `resume=True`.", "Pass --resume."),
        ("Pass `bias_correction=False`.", "Pass --no_bias_correction."),
        ("a larger `batch_size`", "a larger --batch_size"),
        ("`sequence_length` must be 8", "--max_seq_length must be 8"),
        ('Pass `optimizer="adamw"`.', "Pass --optimizer adamw."),
        ("Pass `epsilon=1e-6`.", "Pass --epsilon 1e-6."),
        ("`size` of `PyDataset`", "`size` of `PyDataset`"),
        ("`aws iam get-role` shows it", "`aws iam get-role` shows it"),
        ("`decay` must be", "`decay` must be"),  # only in fine-tuning
    ],
)
def test_a_message_names_flags_where_the_library_named_arguments(
    message, shown
):
    assert name_flags(message, PretrainingSettings) == shown


def test_every_argument_of_another_name_is_a_setting():
    for argument, field in FIELD_OF_ARGUMENT.items():
        shown = {
            name_flags(f"`{argument}`", settings)
            for settings in (PretrainingSettings, SquadSettings)
        }
        assert f"--{field}" in shown


def test_a_recipe_ends_with_the_flag_of_the_argument():
    def fail(settings):
        raise ValueError("It exists. Pass `resume=True`.")

    with pytest.raises(SystemExit, match="^name: It exists. Pass --resume.$"):
        run_recipe("name", fail, PretrainingSettings, REQUIRED)
