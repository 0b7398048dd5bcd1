"""What a screen reader sees and presses, for tests: runs under the system's Python, which has Debian's bindings.

Reads a JSON list on each line of standard input and answers with a JSON value on a line of its own:
["texts", WINDOW]: every text of the window, shown or not; ["press", WINDOW, LABEL]: press what has that label;
["fill", WINDOW, LABEL, TEXT]: put a text into a field.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

WITHIN_S = 10.0


def below(node: Any) -> Iterator[Any]:
    """Yield the node and all that is in it."""
    yield node
    for at in range(node.get_child_count()):
        child = node.get_child_at_index(at)
        if child is not None:
            yield from below(child)


def window(atspi: Any, title: str) -> Any:
    """Return the window of that title, of whichever program."""
    desktop = atspi.get_desktop(0)
    for at in range(desktop.get_child_count()):
        program = desktop.get_child_at_index(at)
        for number in range(program.get_child_count() if program else 0):
            found = program.get_child_at_index(number)
            if found is not None and found.get_name() == title:
                return found
    raise LookupError(f"no window {title}")


def labelled(atspi: Any, title: str, label: str) -> Any:
    """Return what is shown with that label and can be used."""
    for node in below(window(atspi, title)):
        states = node.get_state_set()
        usable = states.contains(atspi.StateType.SHOWING) and states.contains(atspi.StateType.ENABLED)
        # The label of a text stands beside what it names, and cannot be pressed.
        if node.get_name() == label and usable and node.get_role() != atspi.Role.LABEL:
            return node
    raise LookupError(f"nothing in {title} is labelled {label}")


def texts(atspi: Any, title: str) -> list[str]:
    """Return every name, description and content."""
    found = []
    for node in below(window(atspi, title)):
        found += [node.get_name(), node.get_description()]
        text = node.get_text_iface()
        if text is not None:
            found.append(atspi.Text.get_text(text, 0, -1))
        value = node.get_value_iface()
        if value is not None:
            found.append(str(atspi.Value.get_current_value(value)))
    return sorted(filter(None, found))


def answer(atspi: Any, question: list[str]) -> Any:
    """Do what is asked for, once it can be done."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            match question:
                case ["texts", title]:
                    return texts(atspi, title)
                case ["press", title, label]:
                    return labelled(atspi, title, label).get_action_iface().do_action(0)
                case ["fill", title, label, text]:
                    field = labelled(atspi, title, label).get_editable_text_iface()
                    return field.set_text_contents(text)
        except Exception as error:
            # A window that changes meanwhile takes away what was just found.
            if time.monotonic() > deadline:
                return {"error": str(error)}
            time.sleep(0.05)


def main() -> None:
    """Answer until standard input ends."""
    import gi  # type: ignore[import-not-found, unused-ignore]

    gi.require_version("Atspi", "2.0")
    from gi.repository import Atspi  # type: ignore[import-not-found, unused-ignore]

    for line in sys.stdin:
        print(json.dumps(answer(Atspi, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
