"""What Qt tells assistive technology of a window."""

from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QWidget


def accessible_texts(window: QWidget) -> list[str]:
    """Return every name, value and description in the window."""
    texts = []

    def walk(node: QAccessibleInterface) -> None:
        for kind in (QAccessible.Text.Name, QAccessible.Text.Value, QAccessible.Text.Description):
            texts.append(node.text(kind))
        for at in range(node.childCount()):
            child = node.child(at)
            if child is not None:
                walk(child)

    walk(QAccessible.queryAccessibleInterface(window))
    return texts
