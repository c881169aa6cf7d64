"""
The state database: what it is asked, and what may stand in a row of it.

    catalog    what the others ask of it
    rows       a row -> a value, or the reason why it is none
    thread     how long anybody waits for it
    sqlite/    the answer in one SQLite file
"""
