"""Names of the files and folders in a run directory."""

SETTINGS_FILE = "settings.yaml"
CHECKPOINTS = "checkpoints"
MODEL = "model"
