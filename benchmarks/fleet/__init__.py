"""What each step costs, what a fleet for many banks needs, and how far its workers would be behind."""
