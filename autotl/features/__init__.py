"""Frozen features and activations, computed once and kept on disk."""
