"""Judges /openapi.json by openapi-spec-validator, and the running server against it by schemathesis.

Usage: openapi.py URL KEY. A fixed seed and a bounded number of examples keep it quick and repeatable.
"""

import sys

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

URL, KEY = sys.argv[1:3]
ANSWERS = [not_a_server_error, content_type_conformance, response_headers_conformance, response_schema_conformance, status_code_conformance]
HEADERS = {"Authorization": f"Bearer {KEY}"}

description = requests.get(f"{URL}/openapi.json", timeout=30).json()
validate(description)

schema = schemathesis.openapi.from_dict(description)
schema.config.update(base_url=URL)


def bounded(count):
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def examples(operation, mode, count, checks):
    """Sends what schemathesis makes up for an operation, and lets it judge the answers."""
    seen = {}

    @seed(1)
    @bounded(count)
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case):
        # How a body is compressed is no matter of its schema.
        case.headers.pop("Content-Encoding", None) if case.headers else None
        response = case.call(headers=HEADERS)
        seen[response.status_code] = seen.get(response.status_code, 0) + 1
        case.validate_response(response, checks=checks)

    send()
    return seen


total = {}
for result in schema.get_all_operations():
    operation = result.ok()
    is_events = operation.path == "/v1/events"
    for mode in schemathesis.GenerationMode:
        if operation.method == "get" and mode.is_negative:
            continue
        count = 60 if is_events else 8 if operation.method == "post" else 1
        for status, times in examples(operation, mode, count, ANSWERS).items():
            total[status] = total.get(status, 0) + times

assert total.get(202, 0) > 20 and total.get(422, 0) > 5 and total.get(400, 0) > 5, total
print("statuses", total)
print("all held")
