"""The documentation: Markdown pages; `making` builds them and runs what they show."""
