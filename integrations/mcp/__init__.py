"""MCP server: long-term memory for the models of MCP clients.

`server.make_server` creates it, `app` mounts it in the service, `command` runs it over stdin and stdout.
"""
