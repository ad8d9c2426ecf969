"""Proving that an operation is right: what minigrad's own tests use, for a user's operations too.

`check_op` runs everything at once; `gradcheck`, `gradgradcheck`, `adjoint_check` and `assert_close` are its parts;
`complex_step` differentiates an analytic NumPy function to the last digit. `minigrad.testing.strategies` (it needs
hypothesis and is imported on its own) draws shapes, arrays and geometries.
"""

from minigrad.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

from .comparison import assert_close
from .complex_step import complex_step
from .harness import adjoint_check, check_op
from .layouts import LAYOUTS, lay_out

__all__ = [
    "LAYOUTS",
    "GradcheckError",
    "adjoint_check",
    "assert_close",
    "check_op",
    "complex_step",
    "gradcheck",
    "gradgradcheck",
    "lay_out",
]
