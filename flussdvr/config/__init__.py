"""
The configuration file: text -> syntax tree -> values, and back.

    lexer  parser      words, directives with line and column
    values urls names  what one word can be
    reading            tables of rules: name -> field, how to read, how to write
    dvr stream server  those tables; export_root: a part of the last
    load               files and conf.d -> Config, with every error
    effective          Config -> text
"""

from __future__ import annotations

from flussdvr.config.effective import write_config
from flussdvr.config.errors import ConfigError, ConfigErrors
from flussdvr.config.load import load_config, parse_config
from flussdvr.config.model import (
    ApiToken,
    AuthBackendSettings,
    AuthSettings,
    Bucket,
    Config,
    Credentials,
    DvrSettings,
    EventSinkSettings,
    Filter,
    InputSettings,
    IPNetwork,
    Listener,
    StreamSettings,
    TemplateSettings,
    ThumbnailSettings,
)
from flussdvr.config.names import stream_name_problem

__all__ = [
    "ApiToken",
    "AuthBackendSettings",
    "AuthSettings",
    "Bucket",
    "Config",
    "ConfigError",
    "ConfigErrors",
    "Credentials",
    "DvrSettings",
    "EventSinkSettings",
    "Filter",
    "IPNetwork",
    "InputSettings",
    "Listener",
    "StreamSettings",
    "TemplateSettings",
    "ThumbnailSettings",
    "load_config",
    "parse_config",
    "stream_name_problem",
    "write_config",
]
