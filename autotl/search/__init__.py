"""Which trial runs next, and until when."""
