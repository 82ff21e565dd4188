"""Names of what is in the directory of a run."""

SETTINGS_FILE = "settings.yaml"
CHECKPOINTS = "checkpoints"
MODEL = "model"
