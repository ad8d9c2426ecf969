"""Records `transforms.npz`, what `test_transform_records.py` holds our transforms to.

Run it where torchvision 0.28 is installed: `python tests/vision/record_transforms.py`.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import torch
import transform_cases
from torchvision import models, transforms
from torchvision.transforms import functional

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    dtypes = [torch.uint8, torch.int16, torch.int32, torch.int64, torch.float32, torch.float64]
    kinds, arrays = {}, {}
    found = transform_cases.cases(functional, transforms, torch.from_numpy, dtypes)
    for case, function in found.items():
        for name, image in transform_cases.images(torch.from_numpy).items():
            key = f"{case} | {name}"
            kinds[key], array = transform_cases.outcome(function, image)
            if array.size:
                arrays[key] = array
    # one array an entry would cost more in headers than in values
    layout = {key: (str(array.dtype), array.shape) for key, array in arrays.items()}
    values = np.frombuffer(b"".join(array.tobytes() for array in arrays.values()), np.uint8)
    looks = {code: transform_cases.appearance(code, transforms) for code in transform_cases.CONSTRUCTIONS}
    weights = transform_cases.published(models)
    presets = {repr(member): repr(member.transforms()) for member in weights}
    record = json.dumps({"presets": presets, "kinds": kinds, "layout": layout, "looks": looks})
    np.savez_compressed(Path(__file__).with_name("transforms.npz"), record=np.array(record), values=values)
    print(len(kinds), "outcomes")
