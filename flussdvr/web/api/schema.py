"""
The schema of the API (OpenAPI 3.1): a file, served as it is, and what requests are checked against.

    schema.json   paths./streams/{name}.put   parameters: query    requestBody: JSON     components.schemas

`x-also` beside a type names further types that older clients send; only requests may have them.

Paths of routes are those of the schema with `<path:name>` for `{name}`. OpenAPI 3.1 schemas are JSON Schema 2020-12.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from flussdvr.config.errors import nearest
from flussdvr.errors import DvrError, Kind

_PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
ALSO = "x-also"
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")


class Schema:
    """The parsed file. `data`: its bytes."""

    def __init__(self, data: bytes | None = None) -> None:
        self.data = data if data is not None else files("flussdvr.web.api").joinpath("schema.json").read_bytes()
        self.document: dict[str, Any] = json.loads(self.data)
        self._components = _tolerant(self.document["components"])
        self._bodies: dict[tuple[str, str], tuple[Draft202012Validator | None, bool]] = {}
        self._queries: dict[tuple[str, str], dict[str, tuple[Draft202012Validator, bool, str]]] = {}
        for path, item in self.document["paths"].items():
            for method in ("get", "put", "post", "delete"):
                if method in item:
                    self._add(path, method, item[method], item.get("parameters", []))

    def _add(self, path: str, method: str, operation: Mapping[str, Any], shared: list[Any]) -> None:
        key = path, method
        body = operation.get("requestBody")
        content = body["content"].get("application/json") if body else None
        validator = self._validator(content["schema"]) if content else None
        self._bodies[key] = validator, bool(body and body.get("required"))
        query = self._queries[key] = {}
        for parameter in (self._resolved(one) for one in [*shared, *operation.get("parameters", [])]):
            if parameter["in"] == "query":
                schema = parameter["schema"]
                query[parameter["name"]] = (
                    self._validator(schema),
                    parameter.get("required", False),
                    self._resolved(schema).get("type", ""),
                )

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in schema:
            return schema
        found: Any = self.document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return self._resolved(found)

    def _validator(self, schema: Mapping[str, Any]) -> Draft202012Validator:
        return Draft202012Validator({**_tolerant(schema), "components": self._components})

    def check(self, route: str, method: str, query: Mapping[str, str], body: Any) -> None:
        """
        DvrError BAD_REQUEST, `source` naming the parameter or pointing into the body.

        Parameters that the schema does not know are ignored: clients add their own, filters are any field.
        """
        key = _PLACE.sub(r"{\1}", route), method
        if key not in self._bodies:
            return
        self._check_query(key, query)
        validator, required = self._bodies[key]
        if body is None:
            if required:
                raise DvrError(Kind.BAD_REQUEST, "missing_body", "a JSON body is needed", {"pointer": ""})
        elif validator is not None and not isinstance(body, bytes):
            error = best_match(validator.iter_errors(body))
            if error is not None:
                raise _body_error(error)

    def _check_query(self, key: tuple[str, str], query: Mapping[str, str]) -> None:
        known = self._queries[key]
        for name, (validator, required, kind) in known.items():
            if name not in query:
                if required:
                    title = f"the parameter {name} is missing"
                    raise DvrError(Kind.BAD_REQUEST, "missing_parameter", title, {"parameter": name})
                continue
            error = best_match(validator.iter_errors(_typed(query[name], kind)))
            if error is not None:
                title = f"{name}: {error.message[:200]}"
                raise DvrError(Kind.BAD_REQUEST, "invalid_parameter", title, {"parameter": name})


def _tolerant(schema: Any) -> Any:
    """
    What requests are checked against: the document, with `x-also` taken for further types.

    The document itself says one type for each value: generators of clients make nothing good of unions.
    """
    if isinstance(schema, list):
        return [_tolerant(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    also = schema.get(ALSO)
    wide = {key: _tolerant(value) for key, value in schema.items() if key != ALSO}
    if not isinstance(also, list):
        return wide
    if "$ref" in wide:
        return {"anyOf": [wide, {"type": also}]}
    types = wide["type"]
    return {**wide, "type": [*(types if isinstance(types, list) else [types]), *also]}


def _typed(text: str, kind: str) -> Any:
    if kind in ("integer", "number") and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if kind == "boolean":
        return {"true": True, "1": True, "": True, "false": False, "0": False}.get(text, text)
    return text


def _body_error(error: ValidationError) -> DvrError:
    path = [str(part) for part in error.absolute_path]
    if error.validator in ("additionalProperties", "unevaluatedProperties") and isinstance(error.instance, dict):
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        extra = next((name for name in error.instance if name not in known), "")
        pointer = "/" + "/".join([*path, extra])
        hint = nearest(extra, known)
        title = f"there is no {pointer[1:][:200]}" + (f"; {hint}" if hint else "")
        return DvrError(Kind.BAD_REQUEST, "unknown_field", title, {"pointer": pointer})
    pointer = "/" + "/".join(path) if path else ""
    title = f"{pointer[1:]}: {error.message[:200]}" if path else error.message[:200]
    return DvrError(Kind.BAD_REQUEST, "invalid_value", title, {"pointer": pointer})
