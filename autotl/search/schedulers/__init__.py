"""Schedulers, one a file: who gets the next epoch."""
