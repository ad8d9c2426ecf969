"""PyTorch's programs on minigrad as they are: `import torch` means minigrad while a script runs.

`names` says which module stands for which, `standins` makes the modules that a program imports, `running` executes a
script with them in place, and `checking` reads a script and tells, without running it, what it uses that minigrad
lacks.
"""

from .checking import Use, check
from .running import prepare
from .standins import MissingName, install, uninstall

__all__ = ["MissingName", "Use", "check", "install", "prepare", "uninstall"]
