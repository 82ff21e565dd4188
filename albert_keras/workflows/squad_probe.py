"""SQuAD scores of the encoder during pretraining.

With `--squad_frequency N`, `pretrain.py` copies the encoder every N updates,
fine-tunes the copy like `finetune_squad.py`, and logs `squad_exact` and
`squad_f1`. The pretraining run is not affected: its weights, optimizer, random
states and batches are those of a run without scores.
"""

import dataclasses
import logging
import signal
from typing import Any

from albert_keras.models.question_answering import (
    AlbertForQuestionAnswering,
)
from albert_keras.tokenization.tokenizer import AlbertTokenizer
from albert_keras.training import distributed
from albert_keras.training.callbacks import (
    BroadcastState,
    StopOnNonFinite,
    StopOnSignal,
    Validation,
)
from albert_keras.training.steps.random_state import seeded
from albert_keras.workflows.finetune import (
    check_fits,
    compile_for,
    make_batches,
)
from albert_keras.workflows.settings.parse_settings import read_settings
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)
from albert_keras.workflows.settings.task_settings import (
    SQUAD_DEFAULTS,
    SquadSettings,
)
from albert_keras.workflows.squad_data import (
    make_evaluation,
    make_windows,
    read_with_answers,
)

_logger = logging.getLogger(__name__)


class SquadScore:
    """Fine-tunes a copy of a pretraining model's encoder and scores it.

    Args:
        settings: `PretrainingSettings` with `squad_train_file` and
            `squad_dev_file`.
        tokenizer: The corpus's tokenizer.
    """

    def __init__(
        self, settings: PretrainingSettings, tokenizer: AlbertTokenizer
    ) -> None:
        self.settings = squad_settings(settings)
        squad = read_with_answers(str(self.settings.train_file))
        self.defaults = SQUAD_DEFAULTS[squad.version]
        self.training = make_windows(self.settings, squad, tokenizer, True)
        self.evaluation = make_evaluation(self.settings, tokenizer)
        self.plan = self.settings.plan(
            self.defaults, len(self.training), distributed.replicas()
        )

    def __call__(self, pretraining_model):
        """The metrics; None if there is no score, or a signal stops the run."""
        model = self._copy(pretraining_model)
        compile_for(self.settings, self.defaults, self.plan, model)
        stop = StopOnSignal()
        try:
            model.fit(
                make_batches(self.settings, self.training, self.plan),
                steps_per_epoch=self.plan.total_steps,
                shuffle=False,
                verbose=0,
                callbacks=[stop, BroadcastState(), StopOnNonFinite()],
            )
        except FloatingPointError as error:
            _logger.warning("No SQuAD score this time: %s", error)
            return None
        if stop.stopped:
            signal.raise_signal(signal.SIGTERM)  # stops the pretraining run
            return None
        return self.evaluation(model)

    def _copy(self, pretraining_model):
        with seeded(self.settings.seed):
            backbone = pretraining_model.backbone.clone(
                **self.settings.dropouts(self.defaults)
            )
            model = AlbertForQuestionAnswering(
                backbone,
                answerability_head=self.settings.answerability_head,
                dropout=self.settings.classifier_dropout_prob,
            )
        check_fits(self.training, model)
        return model


def squad_validation(
    settings: PretrainingSettings, tokenizer: AlbertTokenizer, model: Any
) -> list[Validation]:
    """The `Validation`s that score SQuAD: one, or none without the setting."""
    if not settings.squad_frequency:
        return []
    score = SquadScore(settings, tokenizer)
    check_fits(score.training, model)

    def report(step, metrics):
        shown = ", ".join(f"{n} {metrics[n]:.2f}" for n in names)
        distributed.say(f"\nUpdate {step:,}: SQuAD {shown}")

    names = score.evaluation.metrics[:2]
    return [
        Validation(
            lambda: score(model),
            settings.squad_frequency,
            prefix="squad_",
            metrics=names,
            first=False,
            report=report,
        )
    ]


def squad_settings(settings: PretrainingSettings) -> SquadSettings:
    """The `SquadSettings` of a pretraining run.

    `squad_config` may set all but the fields that follow from the run.
    """
    from_run: dict[str, Any] = {
        "pretrained": settings.output_dir,
        "output_dir": settings.output_dir,
        "train_file": settings.squad_train_file,
        "dev_file": settings.squad_dev_file,
        "precision": settings.precision,
    }
    squad = SquadSettings(**from_run)
    if settings.squad_config:
        squad = read_settings(settings.squad_config, squad)
        squad = dataclasses.replace(squad, **from_run)
    squad.check()
    return squad
