"""FHIR for charts that read no face files: a Bundle beside each of them, to a folder or a webhook. Optional, and off.

``bundle`` says what is in one, ``delivery`` brings it there. Needs the extra ``fhir``.
"""
