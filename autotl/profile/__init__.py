"""What is known of a data set before any training: `DatasetProfile`."""
