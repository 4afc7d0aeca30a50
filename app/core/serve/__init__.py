"""The OpenAI-compatible HTTP API: its words, what it answers, its server, and who may ask."""
