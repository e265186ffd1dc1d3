"""The HTTP server of a bundle: FastAPI routes around a queue that batches what arrives; no torch.

    request -> observe (log, metrics) -> body (limits) -> inputs or tensors (items) -> engine
            -> decoding threads -> batching -> one ONNX Runtime session -> answer

`app` assembles it; a further endpoint is a function in `app.ROUTES`, a watcher of what is predicted an entry
in `Service.observers`.
"""
