"""Recurring problems and attempts to solve them: what is known of a problem, what helped, what did not."""
