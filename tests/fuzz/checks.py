"""What the contract promises beyond what OpenAPI can say, as a check of Schemathesis.

A range such as 4XX would excuse any status to Schemathesis; here it excuses those
that its description names. Every problem's code must be one that its status has.
"""

import json
import re

import schemathesis

STATUS = re.compile(r"(\d{3}): ")
# A wait that is valid, and would be waited for.
WAIT = re.compile(r"wait=\d+")
LONG_POLL = re.compile(r"0*(([0-9]|[1-5][0-9]|60)s|([0-9]{1,4}|[1-5][0-9]{4}|60000)ms|[01]m)")
WORD = re.compile(r"`([a-z_]+)`")
# Every path: the route or the method is not there, or the answer cannot be given as asked.
EVERYWHERE = {404: {"not_found"}, 405: {"method_not_allowed"}, 406: {"not_acceptable"}}
WITH_RETRY_AFTER = {202, 429, 503, 507}
SERVER_ERRORS = {503, 507}


def codes(responses, status):
    """The codes that the document has for a status, or nothing if it has none."""
    if str(status) in responses:
        return set(WORD.findall(responses[str(status)].get("description", "")))
    parts = responses.get(f"{status // 100}XX", {}).get("description", "").split("; ")
    named = {int(found[1]): part for part in parts if (found := STATUS.match(part))}
    return set(WORD.findall(named[status])) if status in named else None


def prove():
    """A range excuses what it names and nothing else."""
    responses = {"409": {"description": "`busy`"}, "4XX": {"description": "408: `slow`; 413: `large`, `cap`"}}
    assert codes(responses, 409) == {"busy"} and codes(responses, 413) == {"large", "cap"}
    assert [codes(responses, status) for status in (404, 410, 415, 500)] == [None] * 4


@schemathesis.hook
def before_call(context, case, kwargs):
    """Nobody waits long: behind a stop or a hold, thousands of requests would wait for nothing."""
    prefer = str((case.headers or {}).get("Prefer", "wait=10"))
    if WAIT.fullmatch(prefer):
        case.headers["Prefer"] = "wait=1"
    if LONG_POLL.fullmatch(str((case.query or {}).get("wait", ""))):
        case.query["wait"] = "500ms"


@schemathesis.check
def documented(ctx, response, case):
    status = response.status_code
    responses = case.operation.definition.raw["responses"]
    is_ours = case.method.upper() == case.operation.method.upper()
    listed = codes(responses, status) if is_ours else None
    if listed is None:
        listed = EVERYWHERE.get(status)
    assert listed is not None, f"{status} is not documented"
    assert status < 500 or status in SERVER_ERRORS, f"{status}: only 503 and 507 may come"
    header = {name.lower(): values[0] for name, values in response.headers.items()}
    assert header.get("x-request-id"), "no X-Request-Id"
    if status in WITH_RETRY_AFTER:
        assert int(header.get("retry-after", 0)) > 0, "no Retry-After"
    if status == 401:
        assert header.get("www-authenticate"), "no WWW-Authenticate"
    if status < 400 or case.method.upper() == "HEAD":
        return
    kind = header.get("content-type", "")
    assert kind == "application/problem+json", f"a {status} is {kind or 'nothing'}"
    problem = json.loads(response.content)
    assert problem["status"] == status and problem["request_id"] == header["x-request-id"], problem
    assert problem["code"] in listed, f"{problem['code']} is not among {sorted(listed)}"
