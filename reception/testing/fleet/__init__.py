"""A fleet to look at: a broker, terminals whose patients come and go by the real flow, and the board."""
