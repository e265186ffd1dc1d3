"""Leaks: what tells the label and should not, because it comes of how the data were collected.

Each module looks for one kind and says what it found in words: regions of pictures, attributes of files,
tokens of texts. All of them look at one class or label against all others.
"""
