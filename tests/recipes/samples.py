"""What the samples that the fine-tuning recipes learn are made of.

The dev files hold what the training files hold: a model that cannot learn its
training rows by heart learns nothing else.
"""

WORDS = ("bade", "rigo", "nusta", "kele", "mofu")
FILLERS = ("ta", "lo", "mi")
FLAGS = (
    "--max_seq_length 32 --batch_size 16 --learning_rate 0.002 "
    "--total_steps 150 --warmup_steps 6 --hidden_dropout_prob 0 "
    "--classifier_dropout_prob 0 --log_frequency 30 --skip_xla "
    "--validation_frequency 150 --checkpoint_frequency 1000"
).split()
