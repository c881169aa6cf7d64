"""
The web page: its files, and who has signed in to it.

    static/     what `make ui` has built of ui/
    files       those files, read once
    pages       which URL is which of them
    session     /ui/session: signing in and out
    signin      sign-ins: who has shown a password before, and proves it by a cookie
    cookies     the cookies of a request and of an answer
    origin      was it this page that has sent a request?

docs/api.md tells it from the outside.
"""
