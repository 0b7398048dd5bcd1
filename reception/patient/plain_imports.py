"""Puts Python's own import back, in place of which PySide6 puts one of its own; to be imported before the rest of Qt.

Of each module that is imported later, PySide6's reads the source, to see whether it wants Qt's functions under other
names (``from __feature__ import snake_case``). Nobody does, and it takes a sixth of the time of all imports (measured).
"""

import builtins

import PySide6.QtCore  # noqa: F401

builtins.__import__ = getattr(builtins, "__orig_import__", builtins.__import__)
