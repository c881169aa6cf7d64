"""
Bodies: the bytes of a response, an export or a stored picture, as pieces in memory and extents of files.

    body      pieces and extents in one order
    file      the files that extents name, on this machine or elsewhere
    reading   what an extent names, read in a thread
    copying   a body into a file, by the kernel where it can
    seekable  a body as a file, for libraries that send files
    durable   small files that are replaced whole
    files     the system calls that change a disk
"""
