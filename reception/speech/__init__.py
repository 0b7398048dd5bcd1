"""Spoken prompts: what is said for a snapshot (pure), its recordings, and how they are played."""
