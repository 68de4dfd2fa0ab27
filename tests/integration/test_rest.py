"""The client for vendors' APIs, against a real HTTP server."""

from datetime import datetime
from decimal import Decimal

import pytest
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.rest import Api, HttpStatusError
from tests.vendors.server import RefusalError, VendorServer, page_of

ROWS = [{"id": index, "amount": Decimal(f"0.1000000000000000{index}")} for index in range(5)]


def things(request):
    if request.headers.get("x-api-key") != "secret":
        raise RefusalError(401, "invalid key sk-secret")
    start = int(request.one("page") or 0)
    rows, after = page_of(ROWS, start, 2)
    return {"data": rows, "has_more": after is not None, "next_page": after and str(after)}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "3")


@pytest.fixture
def server():
    vendor = VendorServer({"/v1/things": things, "/v1/list": lambda request: [1, 2]})
    with vendor.running():
        yield vendor


def read(server, key="secret", path="/v1/things"):
    api = Api("acme", server.base_url, {"x-api-key": key})
    pages = api.pages(path, {}, JSONResponseCursorPaginator("next_page", "page"))
    return [row for page in pages for row in page["data"]]


def test_every_page_is_read_and_no_digit_of_an_amount_is_lost(server):
    assert read(server) == ROWS


@pytest.mark.parametrize(
    "fault",
    [
        lambda server: server.fail_next("/v1/things", 429, headers={"Retry-After": "0"}),
        lambda server: server.fail_next("/v1/things", 500, times=2),
        lambda server: server.truncate_next("/v1/things"),
        lambda server: server.drop_next("/v1/things"),
    ],
    ids=["429", "500", "truncated", "dropped"],
)
def test_what_passes_is_asked_for_again(server, fault):
    fault(server)

    assert read(server) == ROWS


def test_a_vendor_that_says_when_is_asked_again_then_and_not_before(server):
    server.fail_next("/v1/things", 429, headers={"Retry-After": "1"})
    started = datetime.now()

    assert read(server) == ROWS
    assert (datetime.now() - started).total_seconds() >= 1


def test_a_page_that_comes_twice_counts_once(server):
    api = Api("acme", server.base_url, {"x-api-key": "secret"})
    pages = api.pages("/v1/things", {}, JSONResponseCursorPaginator("next_page", "page"))
    read_rows = list(next(pages)["data"])
    server.repeat_next("/v1/things")

    for page in pages:
        read_rows += page["data"]

    assert read_rows == ROWS


def test_a_page_that_keeps_coming_ends_the_reading(server):
    api = Api("acme", server.base_url, {"x-api-key": "secret"})
    pages = api.pages("/v1/things", {}, JSONResponseCursorPaginator("next_page", "page"))
    next(pages)
    server.repeat_next("/v1/things", times=9)

    with pytest.raises(MindweaveError, match="source acme: /v1/things keeps answering"):
        list(pages)


@pytest.mark.parametrize(
    ("break_it", "key", "path", "says"),
    [
        (lambda server: None, "wrong", "/v1/things", "answered 401: the key was refused"),
        (lambda s: s.fail_next("/v1/things", 403), "secret", "/v1/things", "403: the key lacks"),
        (lambda s: s.fail_next("/v1/things", 500, 9), "secret", "/v1/things", "500: try again"),
        (lambda s: s.html_next("/v1/things"), "secret", "/v1/things", "HTML instead of JSON"),
        (lambda s: s.truncate_next("/v1/things", 9), "secret", "/v1/things", "what is no JSON"),
        (lambda s: None, "secret", "/v1/list", "JSON that is no object"),
        (lambda s: None, "secret", "/v1/nothing", "answered 404: no such path"),
    ],
)
def test_what_does_not_pass_is_one_line_without_the_key(server, break_it, key, path, says):
    break_it(server)

    with pytest.raises(MindweaveError, match=says) as raised:
        read(server, key, path)

    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_status_can_be_told_by_who_knows_another_way(server):
    with pytest.raises(HttpStatusError) as raised:
        read(server, path="/v1/newest")

    assert raised.value.status == 404


def test_nobody_there_is_one_line():
    api = Api("acme", "http://127.0.0.1:9", {})

    with pytest.raises(MindweaveError, match="source acme: /v1/things cannot be reached"):
        api.get("/v1/things")
