"""The OpenAI-compatible API: its words here, its server in a later version."""
