"""The pattern bank: strategies that can be used again, what their use came to, and how they are found."""
