"""The same pattern for another framework: templates translated by parsers, with placeholders that survive."""
