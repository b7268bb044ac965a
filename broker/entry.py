"""The older place of `main`, for scripts that an older version has installed."""

from broker.launch import main

__all__ = ["main"]
