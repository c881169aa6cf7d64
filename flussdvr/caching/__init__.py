"""Work that is not done twice: values that are kept, and one answer for all who ask at once."""
