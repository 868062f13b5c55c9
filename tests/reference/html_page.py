"""Parser of HTML pages."""

from html.parser import HTMLParser

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Elements of a page as (name, attributes), its text, and whether every element closes."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.text.append(data)

    def data(self, *names):
        """Return the attributes data-… of all elements that have all of ``names``."""
        keys = [f"data-{name}" for name in names]
        return [
            tuple(attributes[key] for key in keys)
            for _, attributes in self.elements
            if all(key in attributes for key in keys)
        ]
