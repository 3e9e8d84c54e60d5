"""Holds everything that is said over HTTP and /ws against gateway/openapi.yaml, and remembers what was seen of it."""
import collections
import json
import os
import re
import threading
import urllib.parse

import jsonschema
import yaml

import leaks

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
METHODS = ("get", "put", "post", "patch", "delete")
#: Files of the pages: no part of the API.
PAGES = re.compile(r"^/($|api$|[a-z_]+\.(js|css|svg|yaml|json)$)")
#: Every answer carries these.
STRICT = ("content-security-policy", "x-content-type-options", "referrer-policy", "cross-origin-opener-policy",
          "cross-origin-resource-policy", "cache-control", "date")
#: Longer lists are checked at both ends only: thousands of records of one make say nothing new.
LONGEST_END = 60

FORMATS = jsonschema.FormatChecker(formats=())
MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


@FORMATS.checks("date-time")
def is_moment(value):
    return not isinstance(value, str) or bool(MOMENT.match(value))


@FORMATS.checks("date")
def is_day(value):
    return not isinstance(value, str) or bool(re.match(r"^\d{4}-\d\d-\d\d$", value))


def thinned(value):
    if isinstance(value, dict):
        return {name: thinned(each) for name, each in value.items()}
    if isinstance(value, list):
        ends = value if len(value) <= 2 * LONGEST_END else value[:LONGEST_END] + value[-LONGEST_END:]
        return [thinned(each) for each in ends]
    return value


def as_written(text, schema):
    """A parameter's text as the value that its schema means."""
    kinds = schema.get("type", "string")
    if kinds == "integer" and re.match(r"^-?\d+$", text):
        return int(text)
    return text


class Document:
    """openapi.yaml as JSON Schema. It has no schema that contains itself, so all references can be put in place."""

    def __init__(self, path=os.path.join(ROOT, "gateway", "openapi.yaml")):
        with open(path, encoding="utf-8") as file:
            self.all = yaml.safe_load(file)
        self.operations = {}  # (method, path) -> operation with its parameters
        self.patterns = []    # (number of places, regular expression, path)
        self.validators = {}
        for path, of in self.all["paths"].items():
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
            self.patterns.append((path.count("{"), re.compile("^" + pattern + "$"), path))
            for method in METHODS:
                if method in of:
                    parameters = [self.resolved(p) for p in of.get("parameters", []) + of[method].get("parameters", [])]
                    self.operations[method, path] = {**of[method], "parameters": parameters}
        self.patterns.sort(key=lambda each: each[0])
        self.statuses = {each["const"]: int(each["description"].split(":")[0])
                         for each in self.all["components"]["schemas"]["error_code"]["oneOf"]}

    def resolved(self, value):
        while "$ref" in value:
            found = self.all
            for part in value["$ref"][2:].split("/"):
                found = found[part]
            value = {**found, **{k: v for k, v in value.items() if k != "$ref"}}
        return value

    def whole(self, schema, closed):
        """Without references. `closed`: objects have no other fields than those told, which clients must not rely on."""
        if isinstance(schema, list):
            return [self.whole(each, closed) for each in schema]
        if not isinstance(schema, dict):
            return schema
        schema = self.resolved(schema)
        out = {name: self.whole(each, closed) if name not in ("enum", "const", "examples", "required") else each
               for name, each in schema.items() if name not in ("discriminator", "description")}
        if closed and isinstance(out.get("properties"), dict) and out.get("type") == "object":
            out.setdefault("additionalProperties", False)
        return out

    def wrong(self, schema, value, closed=False):
        """What is wrong with the value; None if nothing is."""
        name = (json.dumps(schema, sort_keys=True), closed)
        if name not in self.validators:
            self.validators[name] = jsonschema.Draft202012Validator(self.whole(schema, closed), format_checker=FORMATS)
        error = jsonschema.exceptions.best_match(self.validators[name].iter_errors(value))
        if error is None:
            return None
        return f"{'/'.join(map(str, error.absolute_path)) or 'all of it'}: {error.message[:300]}"

    def find(self, method, path):
        """(path of the document, operation or None, what stands in its places); (None, None, {}) for no such address."""
        method = "get" if method == "HEAD" else method.lower()
        for _, pattern, name in self.patterns:
            found = pattern.match(path)
            if found:
                return name, self.operations.get((method, name)), found.groupdict()
        return None, None, {}


class Contract:
    """What the tests said and were told. Threads may share it."""

    def __init__(self, document=None):
        self.document = document or Document()
        self.lock = threading.RLock()
        self.seen = collections.Counter()  # (method, path, status)
        self.bodies = collections.Counter()
        self.frames = collections.Counter()
        self.problems = []

    def take(self):
        """The violations since the last time."""
        with self.lock:
            out, self.problems = self.problems, []
            return out

    def violated(self, what, why):
        line = f"openapi.yaml: {what}: {why}"
        if line not in self.problems and len(self.problems) < 20:
            self.problems.append(line)

    def check_frame(self, frame):
        with self.lock:
            kind = str(frame.get("type")) if isinstance(frame, dict) else "?"
            self.frames[kind] += 1
            schema = self.document.all["components"]["schemas"].get("frame_" + kind)
            wrong = f"no such type" if schema is None else self.document.wrong(schema, thinned(frame), closed=True)
            if wrong:
                self.violated(f"frame {kind} of /ws", wrong)

    def check(self, method, target, headers, body, status, answered, text, hostile=False):
        """One request and its answer. `headers` and `answered` have names in lower case; `text` None: it was not kept.
        `hostile`: the request breaks the document on purpose."""
        leaks.LEAKS.notice(method, target, headers, body, status, answered, text)
        with self.lock:
            self.checked(method, target, headers, body, status, answered, text, hostile)

    def checked(self, method, target, headers, body, status, answered, text, hostile):
        parts = urllib.parse.urlsplit(target)
        what = f"{method} {parts.path} {status}"
        for name in STRICT:
            if name not in answered and status != 101:
                self.violated(what, f"the header {name} is missing")
        path, operation, places = self.document.find(method, parts.path)
        if operation is None:
            return self.elsewhere(what, method, parts.path, path, status, answered, text)
        what = f"{method} {path} {status}"
        verb = "get" if method == "HEAD" else method.lower()
        self.seen[verb, path, status] += 1
        wrong = self.wrong_request(operation, places, parts.query, headers, body)
        if wrong and not hostile:
            self.violated(what, "the request: " + wrong)
        if wrong and hostile and status < 400:
            self.violated(what, "taken, although the document refuses it: " + wrong)
        self.check_answer(what, operation, method, status, answered, text)

    def elsewhere(self, what, method, asked, path, status, answered, text):
        """An address or a method that the document does not have."""
        if path is None and PAGES.match(asked):
            return
        wanted = 404 if path is None else 405
        if status not in (wanted, 400, 421, 431, 413):
            return self.violated(what, "no such operation")
        if status == 405:
            allowed = {m.upper() for m, p in self.document.operations if p == path}
            allowed |= {"HEAD"} if "GET" in allowed else set()
            if set(answered.get("allow", "").split(", ")) != allowed:
                self.violated(what, f"Allow is {answered.get('allow')!r}, not {sorted(allowed)}")
        self.check_problem(what, method, status, answered, text, ["not_found", "method_not_allowed", "bad_request",
                                                                 "wrong_host", "body_too_large"])

    def wrong_request(self, operation, places, query, headers, body):
        of = {(p["in"], p["name"]): p for p in operation["parameters"]}
        given = collections.defaultdict(list)
        for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
            given[name].append(value)
        for name, value in places.items():
            schema = of["path", name]["schema"]
            wrong = self.document.wrong(schema, as_written(urllib.parse.unquote(value), self.document.resolved(schema)))
            if wrong:
                return f"{name} in the path: {wrong}"
        for name, values in given.items():
            if ("query", name) not in of:
                return f"the parameter {name} is not in the document"
            wrong = self.wrong_parameter(of["query", name], values)
            if wrong:
                return f"the parameter {name}: {wrong}"
        for (where, name), parameter in of.items():
            value = headers.get(name.lower()) if where == "header" else None
            if value is not None:
                wrong = self.wrong_parameter(parameter, [value])
                if wrong:
                    return f"the header {name}: {wrong}"
        return self.wrong_body(operation.get("requestBody"), body)

    def wrong_parameter(self, parameter, values):
        schema = self.document.resolved(parameter["schema"])
        if schema.get("type") == "array":
            if parameter.get("explode") is False:
                values = [each for value in values for each in value.split(",") if each]
            return self.document.wrong(schema, values)
        if len(values) > 1:
            return "given more than once"
        if values[0] == "":  # as if it were not given
            return None
        return self.document.wrong(schema, as_written(values[0], schema))

    def wrong_body(self, wanted, body):
        if not body:
            return "its body is missing" if wanted and wanted.get("required") else None
        if wanted is None:
            return None if body.strip() in (b"{}", b"") else "it has a body"
        schema = wanted["content"]["application/json"]["schema"]
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as error:
            return f"its body is no JSON: {error}"
        wrong = self.document.wrong(schema, thinned(value))
        return f"its body: {wrong}" if wrong else None

    def check_answer(self, what, operation, method, status, answered, text):
        responses = operation["responses"]
        found = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if found is None:
            return self.violated(what, f"this status is not in the document; {text[:200] if text else ''!r}")
        found = self.document.resolved(found)
        for name, header in found.get("headers", {}).items():
            header = self.document.resolved(header)
            value = answered.get(name.lower())
            if value is None:
                if header.get("required") and method != "HEAD":  # which need not make what some of them tell of
                    self.violated(what, f"the header {name} is missing")
                continue
            wrong = self.document.wrong(header["schema"], as_written(value, header["schema"]))
            if wrong:
                self.violated(what, f"the header {name}: {wrong}")
        if status >= 400:
            common = [code for range_ in ("refused", "failed")
                      for code in self.document.all["components"]["responses"][range_]["x-errors"]]
            codes = operation.get("x-errors", []) + common + (["not_authorised"] if operation.get("security") else [])
            return self.check_problem(what, method, status, answered, text, codes)
        content = found.get("content")
        kind = answered.get("content-type", "").partition(";")[0]
        if content is None:
            if text and status != 101:
                self.violated(what, f"an answer without a body has one: {text[:100]!r}")
        elif kind not in content:
            if method != "HEAD":
                self.violated(what, f"Content-Type is {kind!r}, not {sorted(content)}")
        elif kind == "application/json" and text is not None and method != "HEAD" and status != 206:
            self.check_json(what, content[kind]["schema"], text)
        return None

    def check_json(self, what, schema, text):
        try:
            value = json.loads(text)
        except ValueError as error:
            return self.violated(what, f"no JSON: {error}: {text[:100]!r}")
        self.bodies[what] += 1
        wrong = self.document.wrong(schema, thinned(value), closed=True)
        return self.violated(what, wrong) if wrong else None

    def check_problem(self, what, method, status, answered, text, codes):
        if answered.get("content-type") != "application/problem+json":
            return self.violated(what, f"Content-Type of an error is {answered.get('content-type')!r}")
        for number, name in ((401, "www-authenticate"), (405, "allow"), (429, "retry-after"), (503, "retry-after")):
            if status == number and name not in answered:
                self.violated(what, f"the header {name} is missing")
        if not text or method == "HEAD":
            return None
        self.check_json(what, {"$ref": "#/components/schemas/problem"}, text)
        try:
            problem = json.loads(text)
        except ValueError:
            return None  # told already
        code = problem.get("code")
        if code not in codes:
            self.violated(what, f"the error {code} is not one of this operation's: {problem}")
        if problem.get("status") != status or problem.get("type") != f"urn:keyportal:problem:{code}":
            self.violated(what, f"status or type do not fit: {problem}")
        return None

    # --- at the end ------------------------------------------------------------------------

    def never_asked(self):
        asked = {(method, path) for method, path, _ in self.seen}
        return [(m, p) for m, p in self.document.operations if (m, p) not in asked]

    def table(self):
        """What was seen of each operation, and which of its own statuses never were."""
        lines = [f"{'operation':<62} {'asked':>7}  seen; never seen"]
        for (method, path), operation in self.document.operations.items():
            seen = {status: n for (m, p, status), n in self.seen.items() if (m, p) == (method, path)}
            never = [s for s in operation["responses"] if s.isdigit() and int(s) not in seen]
            lines.append(f"{method.upper() + ' ' + path:<62} {sum(seen.values()):>7}  {' '.join(map(str, sorted(seen)))}; "
                         + " ".join(never))
        statuses = sum(1 for o in self.document.operations.values() for s in o["responses"] if s.isdigit())
        known = sum(1 for (m, p, s) in self.seen if str(s) in self.document.operations[m, p]["responses"])
        lines.append(f"{len(self.document.operations) - len(self.never_asked())} of {len(self.document.operations)} operations "
                     f"and {known} of their {statuses} statuses; {sum(self.seen.values())} requests and answers, "
                     f"{sum(self.bodies.values())} JSON bodies, frames: {dict(self.frames)}")
        return lines
