"""From a trial to a verified bundle."""
