"""Chores of the project, run by hand."""
