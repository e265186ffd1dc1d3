"""Throughput and endurance of `autotl serve`; see `__main__`."""
