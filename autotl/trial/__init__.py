"""Runs one configuration and stores what it leaves."""
