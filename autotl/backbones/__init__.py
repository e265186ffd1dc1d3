"""Pretrained networks: what they are (catalogue), where weights come from (sources), how they run."""
