"""Coded pictures, whatever container they came in: put together, dated, told apart."""
