"""Ranks results and says how sure the ranking is."""
