"""Makes the SSH key with which the hosts of a training job reach each other.

All hosts derive the same key from a secret that the launcher uploads for this
job only, next to the code. A job on one host needs no key.
"""

import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET = Path("/opt/ml/input/data/code/job_secret")


def main():
    secret = SECRET.read_text() if SECRET.is_file() else ""
    if not secret:
        print(f"{SECRET} is missing: this job can only have one host.")
        return
    key = Ed25519PrivateKey.from_private_bytes(
        hashlib.sha256(secret.encode()).digest()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    directory = Path.home() / ".ssh"
    directory.mkdir(mode=0o700, exist_ok=True)
    write(directory / "id_ed25519", private)
    write(directory / "authorized_keys", public + b"\n")


def write(path, content):
    """Writes a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    main()
