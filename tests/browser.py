"""Screenshots of pages in a real browser."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome")


def screenshot(page, path, width, height):
    """Pixels `(height, width, 3)` of an HTML file in headless Chromium.

    Skips the test if there is no Chromium (`make browser` installs it).
    """
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip("There is no Chromium. `make browser` installs it.")
    command = [
        browser,
        "--headless",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={path.parent / 'profile'}",
        f"--window-size={width},{height}",
        f"--screenshot={path}",
        page.absolute().as_uri(),
    ]
    if os.geteuid() == 0:
        command.insert(1, "--no-sandbox")
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=120
    )
    assert path.is_file(), result.stderr
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def bands(rows, gap):
    """Counts the groups of true rows that are `gap` rows or more apart."""
    places = np.flatnonzero(rows)
    return int(places.size > 0) + int((np.diff(places) > gap).sum())
