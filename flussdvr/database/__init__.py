"""
The state database: its file, its schema, and what may stand in a row of it.

    file       opening, checking, moving a broken file aside, standing in for one that can't be written
    schema     tables and how they came to be
    rows       a row -> a value, or the reason why it is none
"""
