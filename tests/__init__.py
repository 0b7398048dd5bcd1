"""The whole suite; one file per module."""
