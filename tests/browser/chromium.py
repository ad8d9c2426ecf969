"""Where Chromium is, and how it comes onto this machine: `python tests/browser/chromium.py` sees to it.

The browser is the distribution's own, or the one that MINIGRAD_CHROMIUM names; playwright only drives it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "chromium", "fonts-dejavu-core")
MINUTES = 8  # for installing


def find():
    """The path of the program, or None."""
    named = os.environ.get("MINIGRAD_CHROMIUM")
    if named:
        return shutil.which(named)
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path), next((path for path in PLACES if Path(path).exists()), None))


def install():
    """Debian's package, by root; raises CalledProcessError or TimeoutExpired."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("apt-get", "update"), INSTALL):
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=60 * MINUTES)


def main():
    """Find it, else install it where that can be done, else say how."""
    if find() is None and shutil.which("apt-get") and os.geteuid() == 0:
        print("installing chromium (some 100 MB) for the browser tests", flush=True)
        install()
    if find() is None:
        sys.exit(
            "the browser tests need Chromium: `apt-get install chromium` as root on Debian, `brew install chromium` on "
            "macOS, or MINIGRAD_CHROMIUM=/path/to/a/chrome"
        )


if __name__ == "__main__":
    main()
