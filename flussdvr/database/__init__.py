"""
The state database: what it is asked, and what may stand in a row of it.

    subjects         one Protocol for each thing that it keeps
    catalog          all of them, and what concerns several at once
    rows             a row -> a value, or the reason why it is none
    overrides_text   what the API has changed, as text beside it
    thread           how long anybody waits for it
    watch            what is wrong with it, told once
    sqlite/          the answer in one SQLite file
"""
