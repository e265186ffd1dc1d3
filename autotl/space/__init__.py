"""What is searched: TOML, narrowed by the profile, limits and hardware."""
