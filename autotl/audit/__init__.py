"""What frozen features, pixels and texts tell of a data set beyond what each row tells by itself.

Pure functions on arrays: suspect labels, outliers, copies, leaks, and a map to draw. Where the arrays come
from, and what is done about what is found, is left to `autotl.automl.audit`; what needs no features, such as
unreadable files and exact duplicates, to `autotl.data.audit`.
"""
