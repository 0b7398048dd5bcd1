"""The terminal: ``conductor`` runs the visit, ``jobs`` does the work, ``watch`` sees readers, ``errors`` translates."""

from reception.terminal.conductor import Terminal
from reception.terminal.jobs import CardFaceScan

__all__ = ["CardFaceScan", "Terminal"]
