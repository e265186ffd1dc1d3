"""Sizes as people write them."""

from __future__ import annotations

import pytest

from autotl.errors import SettingsError
from autotl.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("5GB", 5 * 10**9), ("1.5 GiB", 3 * 2**29), ("500mb", 5 * 10**8), ("0", 0), (12, 12), ("7KiB", 7168)],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["much", "-1", "5 G", "GB", "20", ""])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(
        SettingsError, match=r"not a size; found .*; expected one such as 5GB, 500MB, 1.5GiB or 0"
    ):
        parse_size(text)
