"""Where weights come from: one file a source, exporting `SOURCE`."""
