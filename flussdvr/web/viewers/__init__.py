"""
Who watches, and whether they may.

    asked        what a URL asks for, in the words of authorization backends
    geoip        in which country somebody is
    sessions     one viewer's playback of one stream: opened, counted, closed
    verdict      what was decided about a viewer, and how long it holds
    authority    who decides: a backend, a secure token, an auth_backend's lists
    passes       what may be shown instead of asking one
    links        one of these: links to a span
    gate         what every media request passes

docs/authorization.md tells it from the outside.
"""
