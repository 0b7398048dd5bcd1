"""The rules and the wire: what is asked, what was answered, who is insured; no devices, no screens."""
