"""The main module of a process that a running script has spawned: the script itself, on minigrad, not as the main one.

`multiprocessing` imports it under the name `__mp_main__` before it hands over work whose functions and classes it looks
up there.
"""

import os

from minigrad.dropin.running import SCRIPT, execute
from minigrad.dropin.standins import install

if __name__ == "__mp_main__":
    install()
    globals().update(vars(execute(os.environ[SCRIPT], "__mp_main__")))
