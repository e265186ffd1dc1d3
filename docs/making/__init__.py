"""What builds the pages and keeps them true: blocks that run, recorded outputs, generated parts."""
