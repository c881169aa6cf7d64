"""The log: thinned out, without secrets, and with the journal's fields."""
