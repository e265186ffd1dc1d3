"""Ablations: what each part of the engine brings, a module a target, gathered by one command."""
