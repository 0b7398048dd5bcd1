"""The face route: what is compared with what (``policy``), and the process that owns the models (``engine``)."""
