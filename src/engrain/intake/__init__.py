"""What comes in: validated, secrets cut out, duplicates and echoes recognised, then written in one transaction."""
