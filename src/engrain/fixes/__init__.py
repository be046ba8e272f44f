"""Issues and their fixes: what is wrong, whether it was met before, what solved it."""
