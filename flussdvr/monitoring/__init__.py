"""What operators look at: alarms and figures."""
