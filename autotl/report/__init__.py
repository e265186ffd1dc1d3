"""What a person looks at after a run: summarize, plots, html."""
