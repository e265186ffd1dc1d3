"""Ways to transfer a backbone to a task: one file each, exporting `STRATEGY`."""
