"""The agent: light, one per machine. No Qt, no Hugging Face client, no HTTP server."""

__version__ = "0.1.0"
