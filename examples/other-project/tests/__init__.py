"""This project's own package of tests."""
