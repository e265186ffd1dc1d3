"""Tells whether new inputs still look like the held-out rows that a bundle was measured on. NumPy only."""
