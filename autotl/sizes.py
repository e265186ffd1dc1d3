"""Sizes as people write them."""

from __future__ import annotations

import re

from autotl.errors import SettingsError

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def parse_size(text: str | int) -> int:
    """Bytes meant by "5GB", "500 MB", "1.5GiB", "0", or a number of bytes.

    Raises:
        SettingsError: The text is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]I?B|)", str(text).strip().upper())
    if match is None or (isinstance(text, str) and not match[2] and float(match[1]) > 0):
        raise SettingsError("not a size", found=repr(text), expected="one such as 5GB, 500MB, 1.5GiB or 0")
    return int(float(match[1]) * _UNITS[match[2]])
