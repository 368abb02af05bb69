"""Where a message goes, decided per recipient."""
