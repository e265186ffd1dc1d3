"""For tests and plug-in authors: tiny backbones, synthetic data, contract tests."""
