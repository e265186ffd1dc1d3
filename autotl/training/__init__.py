"""Gradient training of the unfrozen part of a network."""
