"""Images in messages: their bytes and billed tokens by tier, and the time that they take."""
