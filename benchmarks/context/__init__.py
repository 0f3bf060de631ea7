"""How much of LoCoMo's evidence context shows for a billed token, by reader and budget."""
