"""The terminal: ``conductor`` runs the visit, ``jobs`` does the work, ``watch`` sees readers, ``errors`` translates.

``assembly`` makes a terminal from its settings; ``snapshot`` is what the outside sees; ``journal`` and ``back_office``
go on behind the visits.
"""
