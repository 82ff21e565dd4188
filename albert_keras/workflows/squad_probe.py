"""SQuAD while pretraining: what the encoder would score as it stands.

With `--squad_frequency N`, `pretrain.py` copies the encoder every N updates,
fine-tunes the copy as `finetune_squad.py` would, and logs `squad_exact` and
`squad_f1`. The pretraining run does not notice: its weights, optimizer, random
states and batches are those of a run without it.
"""

import dataclasses
import logging
import signal

from albert_keras.data.tasks.squad import read_squad
from albert_keras.models.question_answering import (
    AlbertForQuestionAnswering,
)
from albert_keras.training import distributed
from albert_keras.training.callbacks import (
    BroadcastState,
    StopOnNonFinite,
    StopOnSignal,
    Validation,
)
from albert_keras.training.steps.random_state import seeded
from albert_keras.workflows.finetune import (
    check_length,
    compile_for,
    make_batches,
)
from albert_keras.workflows.parse_settings import read_settings
from albert_keras.workflows.squad_data import make_evaluation, make_windows
from albert_keras.workflows.task_settings import SQUAD_DEFAULTS, SquadSettings

_logger = logging.getLogger(__name__)


class SquadScore:
    """Called with a pretraining model, fine-tunes a copy and scores it.

    Args:
        settings: `PretrainingSettings` with `squad_train_file` and
            `squad_dev_file`.
        tokenizer: The corpus's.
    """

    def __init__(self, settings, tokenizer):
        self.settings = squad_settings(settings)
        squad = read_squad(self.settings.train_file)
        self.defaults = SQUAD_DEFAULTS[squad.version]
        self.training = make_windows(self.settings, squad, tokenizer, True)
        self.evaluation = make_evaluation(self.settings, tokenizer)
        self.plan = self.settings.plan(
            self.defaults, len(self.training), distributed.replicas()
        )

    def __call__(self, pretraining_model):
        """The metrics; None where the run was told to stop meanwhile."""
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
            signal.raise_signal(signal.SIGTERM)  # for the pretraining
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
        check_length(self.training, model)
        return model


def squad_validation(settings, tokenizer, model):
    """The `Validation` of a pretraining run, as a list; empty without."""
    if not settings.squad_frequency:
        return []
    score = SquadScore(settings, tokenizer)
    check_length(score.training, model)

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


def squad_settings(settings):
    """The `SquadSettings` that follow from those of a pretraining run.

    The file of `squad_config` may set all but the run's own.
    """
    own = {
        "pretrained": settings.output_dir,
        "output_dir": settings.output_dir,
        "train_file": settings.squad_train_file,
        "dev_file": settings.squad_dev_file,
        "precision": settings.precision,
    }
    squad = SquadSettings(**own)
    if settings.squad_config:
        squad = read_settings(settings.squad_config, squad)
        squad = dataclasses.replace(squad, **own)
    squad.check()
    return squad
