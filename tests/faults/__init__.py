"""What is acknowledged is never lost: kills, power losses, and proof of the proof."""
