"""Files that people edit while the server runs: read with care, kept up to date."""
