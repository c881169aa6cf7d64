"""
The configuration: a file's text -> syntax tree -> values, and back; and the same values as the API's documents.

    lexer  parser            words, directives with line and column
    values urls names        what one word can be
    reading documents        rules of the file: name -> how to read, how to write; fields of documents likewise
    options                  tables of options that both are made of, and docs/configuration.md (tables)
    inputs                   the kinds of inputs
    *_options  thumbnails  authorization  input_settings  server  listener  event_sink  export_root      those tables
    dvr stream auth_backend  blocks of the file;  dvr_document stream_document: the same in documents
    patches                  what the API has changed of a document;  overrides dvr_overrides: over the file
    load                     files and conf.d -> Config, with every error
    effective                Config -> text
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
