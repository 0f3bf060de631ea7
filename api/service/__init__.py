"""What stands between the endpoints and the memory."""
