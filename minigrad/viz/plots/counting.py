"""Confusion: how often each class was taken for each other."""

import numpy as np

from minigrad import Tensor

__all__ = ["confusion_counts"]


def confusion_counts(true, predicted, classes=None):
    """How often each true class (row) was taken for each class (column), int64 (classes, classes).

    `true` and `predicted` are tensors, arrays or lists of class numbers, one for each sample. Without `classes`, their
    number is one more than the largest seen. Raises ValueError for lists of different lengths, no samples, and numbers
    that are no class.

    >>> print(confusion_counts([0, 0, 1], [0, 1, 1]))
    [[1 1]
     [0 1]]
    """
    true, predicted = (_numbers(values, name) for values, name in ((true, "true"), (predicted, "predicted")))
    if len(true) != len(predicted):
        raise ValueError(f"{len(true)} true classes and {len(predicted)} predicted ones\nhint: one of each per sample")
    if len(true) == 0:
        raise ValueError("there is nothing to count: no samples were given")
    largest = max(true.max(), predicted.max())
    classes = int(largest) + 1 if classes is None else classes
    least = min(true.min(), predicted.min())
    if least < 0 or largest >= classes:
        wrong = least if least < 0 else largest
        raise ValueError(f"{wrong} is no class: there are {classes}, numbered 0 to {classes - 1}")
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _numbers(values, name):
    array = values.detach().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(
            f"{name} must be whole numbers, one for each sample, not {array.dtype} of shape {array.shape}\n"
            "hint: scores.argmax(1) are the predicted classes"
        )
    return array.astype(np.int64)
