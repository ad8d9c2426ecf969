"""Where the time of a computation goes: `profile` records every operation and kernel of a block and prints tables.

`recording` notes what happens, `costs` knows how many multiply-adds and bytes it takes, `tables` sums it up.
"""

from .recording import profile, record_function

__all__ = ["profile", "record_function"]
