"""An MCP server: what the model of any MCP client remembers and recalls. Needs the extra `mcp`.

`server.make_server` makes it, `app` mounts it in the service, `command` runs it over stdin and stdout.
"""
