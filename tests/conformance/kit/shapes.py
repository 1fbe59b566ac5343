"""botocore's service models as the specification of answers: strict checks of raw JSON against shapes.

botocore's own parsers forgive: they skip members nobody knows, and turn a null into nothing. Here each is a finding.
"""

import base64
import binascii
import functools
import re

import botocore.session

SERVICES = ("ecs", "ecr", "logs", "events", "sts")

# "Common Errors" of AWS's API references, and the codes that AWS's front ends answer for JSON services before the
# service itself sees a request (a body that isn't the input, a signature that doesn't hold).
COMMON = {
    "AccessDeniedException", "ExpiredTokenException", "IncompleteSignature", "InternalFailure",
    "MalformedHttpRequestException", "NotAuthorized", "OptInRequired", "RequestAbortedException",
    "RequestEntityTooLargeException", "RequestExpired", "RequestTimeoutException", "ServiceUnavailable",
    "ThrottlingException", "UnrecognizedClientException", "UnknownOperationException", "ValidationError",
    "SerializationException", "InvalidSignatureException", "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
    # The same of Query services.
    "InvalidAction", "InvalidClientTokenId", "MissingAction", "MissingAuthenticationToken", "SignatureDoesNotMatch",
    "MissingParameter", "InvalidParameterValue", "InvalidParameterCombination",
}

# What an operation or a part of one answers that Longshore hasn't: docs/decisions/0005-what-is-not-implemented.md.
# ECS's model has an error for it. The other models have none; theirs is the nearest that clients don't retry.
UNSUPPORTED = {"ecs": "UnsupportedFeatureException", "ecr": "ValidationException", "logs": "InvalidOperationException",
               "events": "OperationDisabledException"}

# What EventBridge answers to a bad parameter, though its model has no such error.
UNMODELLED = {"events": {"ValidationException"}}

INTEGERS = {"integer": 31, "long": 63}


@functools.cache
def model(service):
    return botocore.session.get_session().get_service_model(service)


def operation(service, name):
    return model(service).operation_model(name)


def operations():
    """Every (service, operation) of the models."""
    return [(service, name) for service in SERVICES for name in model(service).operation_names]


@functools.cache
def errors(service, name):
    """{code: shape} of the errors that the model lists for an operation."""
    return {shape.error_code: shape for shape in operation(service, name).error_shapes}


def findings(shape, value, path="$"):
    """Everything in `value`, as JSON has it, that the shape doesn't allow."""
    if shape is None:
        return [] if value == {} else [f"{path}: {value!r} where the model has no output"]
    if value is None:
        return [f"{path}: null; AWS leaves absent members out"]
    if getattr(shape, "is_document_type", False):
        return []
    return CHECKS[shape.type_name](shape, value, path)


def _structure(shape, value, path):
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no {shape.name}"]
    found = [f"{path}: lacks {name}, which {shape.name} requires" for name in shape.required_members
             if name not in value]
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        found.append(f"{path}: {sorted(value)} of the union {shape.name}")
    for name, inner in value.items():
        if name in shape.members:
            found += findings(shape.members[name], inner, f"{path}.{name}")
        else:
            found.append(f"{path}: {shape.name} has no member {name}")
    return found


def _list(shape, value, path):
    if not isinstance(value, list):
        return [f"{path}: {value!r} is no list"]
    return [finding for i, item in enumerate(value) for finding in findings(shape.member, item, f"{path}[{i}]")]


def _map(shape, value, path):
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no map"]
    found = [finding for key in value for finding in findings(shape.key, key, f"{path} key")]
    return found + [f for key, inner in value.items() for f in findings(shape.value, inner, f"{path}.{key}")]


def _string(shape, value, path):
    if not isinstance(value, str):
        return [f"{path}: {value!r} is no string"]
    if getattr(shape, "enum", None) and value not in shape.enum:
        return [f"{path}: {value!r} is none of {shape.name}"]
    pattern = shape.metadata.get("pattern")
    if pattern and not fits(pattern, value):
        return [f"{path}: {value!r} is not {pattern}"]
    return []


def fits(pattern, text):
    """True where the pattern can't be read: Java has some that Python has not."""
    try:
        return re.fullmatch(pattern, text, re.DOTALL) is not None
    except re.error:
        return True


def _boolean(_, value, path):
    return [] if isinstance(value, bool) else [f"{path}: {value!r} is no boolean"]


def _integer(shape, value, path):
    bits = INTEGERS[shape.type_name]
    whole = isinstance(value, int) and not isinstance(value, bool) and -(1 << bits) <= value < 1 << bits
    return [] if whole else [f"{path}: {value!r} is no {shape.type_name}"]


def _number(_, value, path):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return [] if number else [f"{path}: {value!r} is no number"]


def _timestamp(_, value, path):
    """JSON services have seconds since the epoch. A time in milliseconds would be in a far future."""
    found = _number(None, value, path)
    return found or ([] if 0 <= value < 32_503_680_000 else [f"{path}: {value} is no time in seconds"])


def _blob(_, value, path):
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return [f"{path}: {value!r} is no base64"]
    return []


CHECKS = {
    "structure": _structure, "list": _list, "map": _map, "string": _string, "boolean": _boolean,
    "integer": _integer, "long": _integer, "float": _number, "double": _number, "timestamp": _timestamp,
    "blob": _blob,
}


def error_findings(service, name, status, body):
    """What is wrong with an error's JSON."""
    if not isinstance(body, dict) or not isinstance(body.get("__type"), str):
        return [f"{body!r} is no error of the JSON protocol"]
    code = body["__type"].rsplit("#", 1)[-1]
    shape = errors(service, name).get(code)
    if shape is None and code == UNSUPPORTED[service]:
        told = "Longshore does not implement" in body.get("message", "") and name in body["message"]
        return [] if told and status == 400 else [f"{name} has no error {code}: {body}"]
    if shape is None:
        return [] if code in COMMON | UNMODELLED.get(service, set()) else [f"{name} has no error {code}: {body}"]
    described = shape.metadata.get("error", {})
    expected = described.get("httpStatusCode", 500 if shape.metadata.get("fault") else 400)
    found = [] if status == expected else [f"{code} came with {status}, not {expected}"]
    members = {key: value for key, value in body.items() if key not in ("__type", "message", "Message")}
    if not isinstance(body.get("message", body.get("Message")), str):
        found.append(f"{code} has no message")
    return found + [finding for key, value in members.items() for finding in (
        findings(shape.members[key], value, f"$.{key}") if key in shape.members else [f"{code} has no member {key}"])]
