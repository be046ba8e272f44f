"""The shells around the facade: command line and MCP. They parse, call and print; no rules live here."""
