"""The URL's TLS options reach every client of ours: dlt's, dbt's and our own."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import transcripts
from tests.servers import tls


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return tls.certificate(tmp_path)


@pytest.fixture
def postgres_with_tls(postgres_database: str, certificate: tuple[Path, Path]) -> Iterator[str]:
    parts = urlsplit(postgres_database)
    assert parts.port
    with tls.tls_in_front_of(parts.port, certificate, is_postgres=True) as port:
        place = parts.netloc.replace(str(parts.port), str(port))
        yield f"postgresql://{place}{parts.path}?sslmode=verify-full&sslrootcert="


@pytest.fixture
def clickhouse_with_tls(clickhouse: str, certificate: tuple[Path, Path]) -> Iterator[str]:
    parts = urlsplit(clickhouse)
    assert parts.port
    http_port = int(parse_qs(parts.query)["http_port"][0])
    with ExitStack() as running:
        native, http = (
            running.enter_context(tls.tls_in_front_of(port, certificate, is_postgres=False))
            for port in (parts.port, http_port)
        )
        place = parts.netloc.replace(str(parts.port), str(native))
        yield f"clickhouse://{place}/?secure=1&http_port={http}&ca_certs="


@pytest.mark.parametrize("server", ["postgres_with_tls", "clickhouse_with_tls"])
def test_load_and_build_trust_the_authority_that_the_url_names_and_no_other(
    tmp_path: Path,
    server: str,
    certificate: tuple[Path, Path],
    request: pytest.FixtureRequest,
) -> None:
    url = str(request.getfixturevalue(server))
    source = transcripts.write(tmp_path / "t" / "s.jsonl", transcripts.answer(1))
    (tmp_path / "other").mkdir()
    stranger, _ = tls.certificate(tmp_path / "other")
    load = ("load", "--path", source)

    refused = transcripts.mindweave(
        tmp_path / "home", *load, MINDWEAVE_WAREHOUSE=f"{url}{stranger}"
    )
    assert refused.returncode == 1
    transcripts.assert_one_line(refused.stderr)
    assert "cannot reach" in refused.stderr

    trusted = {"MINDWEAVE_WAREHOUSE": f"{url}{certificate[0]}"}
    transcripts.succeeds(transcripts.mindweave(tmp_path / "home", *load, **trusted))
    built = transcripts.succeeds(transcripts.mindweave(tmp_path / "home", "build", **trusted))
    assert "for 1 model call" in built
