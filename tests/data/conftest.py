"""No test of this folder reads or writes the user's own data sets."""

import pytest


@pytest.fixture(autouse=True)
def empty_data_folder(monkeypatch, tmp_path_factory):
    """MINIGRAD_DATA as it stood is the fixture `real_data`'s business; the tests see an empty folder."""
    folder = tmp_path_factory.mktemp("minigrad-data")
    monkeypatch.setenv("MINIGRAD_DATA", str(folder))
    return folder
