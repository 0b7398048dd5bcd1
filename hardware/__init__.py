"""Devices: card readers, cards, cameras, the face engine. Knows nothing of visits, screens or insurance."""
