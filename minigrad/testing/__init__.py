"""Proving that an operation is right: what minigrad's own tests use, for a user's operations too.

`check_op` runs everything at once; `gradcheck`, `gradgradcheck`, `adjoint_check` and `assert_close` are its parts.
`minigrad.testing.strategies` (it needs hypothesis and is imported on its own) draws shapes, arrays and geometries.
"""

from .comparison import assert_close
from .finite_differences import GradcheckError, gradcheck, gradgradcheck
from .harness import adjoint_check, check_op
from .layouts import LAYOUTS, lay_out

__all__ = [
    "LAYOUTS",
    "GradcheckError",
    "adjoint_check",
    "assert_close",
    "check_op",
    "gradcheck",
    "gradgradcheck",
    "lay_out",
]
