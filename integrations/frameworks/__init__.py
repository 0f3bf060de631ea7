"""What the adapters of all frameworks share: tested versions, exact JSON, calls in sequence, transcripts."""
