"""How memories leave and come back: export, import, and the formats of others."""
