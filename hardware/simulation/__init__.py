"""Stand-ins at the low seam of each device: virtual cards, a pcscd with virtual readers, moving stills, portraits."""
