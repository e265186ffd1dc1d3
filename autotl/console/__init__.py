"""What the command line shows and asks: options, live display, tables, predictions, demo data."""
