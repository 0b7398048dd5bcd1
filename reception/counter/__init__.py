"""The counter's page in a browser: the visit that is on, today's visits, help from afar, and all terminals of a fleet.

``hub`` knows the terminals, ``pages`` and ``situation`` say in words what is shown, ``app`` serves it.
"""
