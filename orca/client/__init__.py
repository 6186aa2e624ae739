"""The typed API client, and the schema that it shares with the server."""
