"""Where archived memories are kept."""
