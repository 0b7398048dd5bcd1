"""HTML as a tree, so that no text can become markup."""

from xml.etree.ElementTree import Element, tostring

from reception.testing.scenarios.results import printable

Content = Element | str | None


def e(tag: str, *content: Content, **attributes: str | float | None) -> Element:
    """Return an element; a name's trailing underscore is dropped and others become hyphens, None is left out."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            text = value if isinstance(value, str) else f"{value:g}"
            made.set(name.rstrip("_").replace("_", "-"), printable(text))
    for part in content:
        if isinstance(part, Element):
            made.append(part)
        elif part is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + printable(part)
        elif part is not None:
            made.text = (made.text or "") + printable(part)
    return made


def document(root: Element) -> str:
    """Return the page."""
    return f"<!DOCTYPE html>\n{tostring(root, encoding='unicode', method='html')}\n"
