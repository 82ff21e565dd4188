"""Prepares a corpus in a separate process, which a test kills.

python -c ... TEXTS VOCABULARY OUTPUT_DIR          (see light_command)
"""

import sys

from albert_keras.data.corpus.prepare import prepare_corpus


def main():
    texts, vocabulary, output_dir = sys.argv[1:]
    prepare_corpus(
        [texts], output_dir, vocabulary, workers=2, shard_megabytes=0.01
    )
