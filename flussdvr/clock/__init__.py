"""
UTC that the server can rely on.

    utc       the machine's clock, as long as the monotonic clock explains it
    kernel    what the kernel knows of its clock
    watch     looks after it, each second
    reactor   timers by the monotonic clock
"""
