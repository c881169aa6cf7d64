"""
Who may watch, publish and administer, whatever protocol they speak.

    auth_request  what a URL asks for, in the words of authorization backends
    protocols     which of a stream's protocols that is
    sessions      one viewer's playback of one stream: opened, counted, closed
    verdict       what was decided about a viewer, and how long it holds
    authority     who decides: a backend, a secure token, an auth_backend's lists
    authorities   ... for each stream, by the configuration of this moment
    decisions     verdicts in force, refusals, questions on their way
    links         links to a span of a stream
    publishers    who may publish
    attempts      wrong passwords, by address

docs/authorization.md tells it from the outside. What a request over HTTP needs of it is in `flussdvr.web.media`.
"""
