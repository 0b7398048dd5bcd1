"""Terminals and the counter programs that watch and steer them: over a socket of one machine, or a broker (MQTT).

A terminal has a Port. It tells News to whoever watches and answers Commands. How these travel is a link's business:
``local`` for the same machine, ``terminal_side`` and ``board_side`` over the broker.
"""
