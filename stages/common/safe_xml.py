"""XML that others wrote, read without unfolding what it declares."""

from xml.etree import ElementTree


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses the declarations that entities come in: a few lines of them can unfold to gigabytes."""

    def doctype(self, name: str, *_: object) -> None:
        raise ValueError(f"declares a document type, {name}")


def parse_xml(content: bytes) -> ElementTree.Element:
    """The root element. Raises ValueError when it is damaged or declares a document type."""
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(content)
        root: ElementTree.Element = parser.close()
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    return root
