"""Logging to Weights & Biases, if a project is given and a user logged in."""

import logging
from collections.abc import Callable
from typing import Any

_logger = logging.getLogger(__name__)


def start_wandb(
    project: str, name: str, settings: dict[str, Any]
) -> Callable[[int, dict[str, float]], None] | None:
    """Starts a run at Weights & Biases.

    Args:
        project: The project at Weights & Biases.
        name: Name of the run.
        settings: Settings to record, by name.

    Returns:
        A function `(step, metrics)` that logs a row; None, with a warning, if
        nobody is logged in.

    Raises:
        ValueError: If the package is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise ValueError(
            "`wandb_project` needs the package wandb. Install it with `pip "
            "install wandb`, or omit `wandb_project`."
        ) from error
    if not wandb.api.api_key:
        _logger.warning(
            "Not logging to Weights & Biases: nobody is logged in. Run "
            "`wandb login` or set WANDB_API_KEY."
        )
        return None
    run = wandb.init(project=project, name=name, config=settings)
    return lambda step, metrics: run.log(metrics, step=step)
