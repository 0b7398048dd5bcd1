"""Figures about speed and accuracy, each beside what it is compared with; one module for each ``./run bench WHAT``."""
