"""From a bundle to predictions, with numpy and onnxruntime only: torch is never imported here."""
