"""From a user's files or tables to a `Dataset` with its audit and splits."""
