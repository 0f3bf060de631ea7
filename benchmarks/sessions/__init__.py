"""Long sessions of coding agents through the proxy: recorded once with the real clients, and replayed without them."""
