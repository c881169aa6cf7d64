"""
The effective configuration, written in the grammar of the file: reading it again gives the same `Config`.

Templates and references are kept and their results written out, secrets are masked unless asked for.
"""

from __future__ import annotations

import os

from flussdvr.config.auth_backend import write_auth_backend
from flussdvr.config.dvr import write_root
from flussdvr.config.event_sink import write_event_sink
from flussdvr.config.model import Config
from flussdvr.config.reading import Writing, written
from flussdvr.config.server import SERVER_RULES
from flussdvr.config.stream import write_stream, write_template


def write_config(config: Config, secrets: bool = False, defaults: bool = False) -> str:
    """
    The text of `config`. Without `secrets` each is `***`; with `defaults` also what is so without being said.
    """
    writing = Writing(secrets, defaults, config.dvrs)
    implied = {"export_roots": (os.path.join(config.state_dir, "exports"),)}
    lines = written(SERVER_RULES, config, Config(), writing, implied)
    for dvr in config.dvrs.values():
        lines += write_root(dvr, writing)
    for backend in config.auth_backends.values():
        lines += write_auth_backend(backend, writing)
    for template in config.templates.values():
        lines += write_template(template, writing)
    for stream in config.streams.values():
        template_ = config.templates.get(stream.template) if stream.template is not None else None
        lines += write_stream(stream, template_, writing)
    for sink in config.event_sinks.values():
        lines += write_event_sink(sink, writing)
    return "".join(line + "\n" for line in lines)
