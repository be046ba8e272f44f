"""The service: the verbs over HTTP, MCP beside them, events. FastAPI routes and documents; no rules live here."""

from engrain.shells.rest.server import serve

__all__ = ["serve"]
