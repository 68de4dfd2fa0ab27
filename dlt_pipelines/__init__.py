"""Extract and load: everything that reaches the raw schemas comes through here."""
