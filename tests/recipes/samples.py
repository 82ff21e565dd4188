"""Words and flags for the samples that the fine-tuning recipes learn.

Dev files equal training files: the tests check that a model memorizes its
training rows.
"""

WORDS = ("bade", "rigo", "nusta", "kele", "mofu")
FILLERS = ("ta", "lo", "mi")
FLAGS = (
    "--max_seq_length 32 --batch_size 16 --learning_rate 0.002 "
    "--total_steps 150 --warmup_steps 6 --hidden_dropout_prob 0 "
    "--classifier_dropout_prob 0 --log_frequency 30 --skip_xla "
    "--validation_frequency 150 --checkpoint_frequency 1000"
).split()
