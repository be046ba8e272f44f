"""What becomes of a memory: pure rules, and the sweeps that carry them out."""
