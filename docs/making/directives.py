"""What pages can ask for beside Markdown: `{recorded} NAME` and `{generated} NAME`."""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

from docs.making import recordings
from docs.making.parts import PARTS


class Recorded(Directive):
    """Shows what a block said when it was recorded, and when that was."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """The output, and its origin under it."""
        name = self.arguments[0]
        try:
            recording = recordings.read(name)
        except FileNotFoundError:
            raise self.error(f"no recording {name!r}: scripts/docs record") from None
        self.state.document.settings.env.note_dependency(str(recordings.path_of(name)))
        output = nodes.literal_block(recording.said, recording.said, language="text")
        output["classes"].append("recorded")
        origin = nodes.paragraph(recording.origin, recording.origin, classes=["origin"])
        return [output, origin]


class Generated(Directive):
    """Shows a part that is made from the program."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """The part, read as Markdown."""
        name = self.arguments[0]
        if name not in PARTS:
            raise self.error(f"no part {name!r}; there are {', '.join(PARTS)}")
        part = nodes.container(classes=["generated"])
        self.state.nested_parse(StringList(PARTS[name]().splitlines(), name), 0, part)
        return [part]


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of them."""
    app.add_directive("recorded", Recorded)
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
