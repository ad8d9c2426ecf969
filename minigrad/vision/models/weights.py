"""Weights that torchvision published for its networks: where they are, and how a file is found, fetched and checked.

The digits at the end of a file's name begin its sha256, so a file is never taken for another.
"""

import hashlib
import http.client
import os
import urllib.request
from enum import Enum
from pathlib import Path

from tqdm import tqdm

from minigrad.serialization import load

from ..datasets.files import BLOCK, TIMEOUT, data_folder, write_atomically
from ..transforms.presets import ImageClassification

SERVER = "https://download.pytorch.org/models"


class WeightsEnum(Enum):
    """The sets of weights published for one network; a member's value is its file name.

    >>> from minigrad.vision.models import ResNet50_Weights
    >>> ResNet50_Weights.DEFAULT
    ResNet50_Weights.IMAGENET1K_V2
    >>> ResNet50_Weights.DEFAULT.url
    'https://download.pytorch.org/models/resnet50-11ad3fa6.pth'
    """

    @classmethod
    def verify(cls, weights):
        """`weights`, None, or the member that a string names ("DEFAULT", "ResNet50_Weights.IMAGENET1K_V1")."""
        if isinstance(weights, str):
            return cls[weights.removeprefix(f"{cls.__name__}.")]
        if weights is not None and not isinstance(weights, cls):
            raise TypeError(
                f"Invalid Weight class provided; expected {cls.__name__} but received {type(weights).__name__}."
            )
        return weights

    @property
    def url(self):
        """Where the file is published."""
        return f"{SERVER}/{self.value}"

    def transforms(self):
        """The transforms of images that the network was measured with.

        >>> from minigrad.vision.models import ResNet50_Weights
        >>> ResNet50_Weights.IMAGENET1K_V2.transforms().resize_size
        [232]
        """
        if type(self).__name__.startswith("Inception_V3"):
            return ImageClassification(crop_size=299, resize_size=342)
        newer = self.name.endswith("V2") or type(self).__name__.startswith("ResNeXt101_64X4D")
        return ImageClassification(crop_size=224, resize_size=232 if newer else 256)

    def get_state_dict(self, progress=True, check_hash=True):
        """The published state, from a file on this machine or else downloaded into `weights_folder()`.

        Raises:
            RuntimeError: the file is not here and could not be fetched, or (with `check_hash`) is another's.
        """
        path = next((place / self.value for place in _folders() if (place / self.value).is_file()), None)
        if path is None:
            path = _download(self, progress)
        elif check_hash:
            with path.open("rb") as file:
                _check(self, hashlib.file_digest(file, "sha256"), path)
        return load(path)

    def __repr__(self):
        return f"{type(self).__name__}.{self.name}"


def published(name, *files):
    """The enumeration `name` of weights in `files`: members IMAGENET1K_V1, V2, ..., and DEFAULT, the last of them."""
    members = {f"IMAGENET1K_V{i}": f"{file}.pth" for i, file in enumerate(files, 1)}
    return WeightsEnum(name, {**members, "DEFAULT": f"{files[-1]}.pth"})  # type: ignore[call-overload]


def weights_folder():
    """The folder that downloaded weights go to: "models" among the data sets (see MINIGRAD_DATA)."""
    return data_folder() / "models"


def _folders():
    """The folders to look through: ours, and the one where torch.hub keeps what it has downloaded."""
    return weights_folder(), Path(os.environ.get("TORCH_HOME") or "~/.cache/torch").expanduser() / "hub/checkpoints"


def _check(weights, digest, source):
    """Raise unless the sha256 begins as the file's name says."""
    beginning = weights.value.removesuffix(".pth").rpartition("-")[2]
    if not digest.hexdigest().startswith(beginning):
        raise RuntimeError(
            f'invalid hash value (expected "{beginning}", got "{digest.hexdigest()}")\n'
            f"hint: {source} is damaged or another file"
        )


def _download(weights, progress):
    """The path of the file, which is there only once it is whole and checked."""
    folder = weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    request = urllib.request.Request(weights.url, headers={"User-Agent": "minigrad"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            write_atomically(folder / weights.value, _checked(response, weights, progress))
    except (OSError, http.client.HTTPException) as error:
        raise RuntimeError(
            f"{weights.value} could not be downloaded: {error}\n"
            f"hint: fetch {weights.url} by other means and put it into {folder}, or build the network without weights "
            f'and load the file: model.load_state_dict(minigrad.load("{weights.value}"))'
        ) from error
    return folder / weights.value


def _checked(response, weights, progress):
    """The blocks of `response`; raises instead of ending when their sha256 is not the file's."""
    digest, size = hashlib.sha256(), int(response.headers.get("Content-Length") or 0)
    with tqdm(total=size or None, unit="B", unit_scale=True, disable=None if progress else True) as bar:
        while block := response.read(BLOCK):
            digest.update(block)
            bar.update(len(block))
            yield block
    _check(weights, digest, weights.url)
