"""Models come the way conda's packages come: with its credentials, its proxies and its certificates."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from conda_packages import FUTURE_RUNTIME
from conda_sites import PASSWORD, USER, Site, serving

if TYPE_CHECKING:
    from conda_runner import Conda, Said

pytestmark = pytest.mark.conda

DIGITS = ("modeldeps-digits", f"onnxruntime<{FUTURE_RUNTIME}")


def blobs() -> list[Path]:
    """Return the blobs of this test's store."""
    return list(Path(os.environ["MODELDEPS_CACHE"]).glob("blobs/sha256/*/*"))


def create(conda: Conda, url: str, others: Path, *, status: int = 0, **variables: str) -> Said:
    words = ["--override-channels", "-c", url, "-c", others.as_uri(), *DIGITS]
    return conda("create", "-n", "app", *words, status=status, **variables)


def skip_where_the_solver_loses_passwords(conda: Conda) -> None:
    """Skip with a solver whose records have URLs without the password: conda gets no package with it."""
    if conda.solver == "rattler":
        pytest.skip("this solver loses the password of a channel's URL, so conda gets no package from there")


def test_a_password_in_the_channels_url_opens_it_and_is_not_shown(
    conda: Conda, models: Path, others: Path
) -> None:
    skip_where_the_solver_loses_passwords(conda)
    with serving(Site(models, PASSWORD)) as site:
        said = create(conda, f"http://{USER}:{PASSWORD}@{site.netloc}/", others)
        assert site.asked_blobs()
    assert blobs()
    assert PASSWORD not in said.all


def test_a_password_in_netrc_opens_a_channel(conda: Conda, models: Path, others: Path) -> None:
    netrc = conda.folder / "home" / ".netrc"
    netrc.parent.mkdir(parents=True)
    netrc.write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    netrc.chmod(0o600)
    with serving(Site(models, PASSWORD)) as site:
        said = create(conda, f"http://{site.netloc}/", others)
        assert site.asked_blobs()
    assert blobs()
    assert PASSWORD not in said.all


def test_a_failure_does_not_show_the_password(
    conda: Conda, models: Path, others: Path, tmp_path: Path
) -> None:
    skip_where_the_solver_loses_passwords(conda)
    bad = Path(shutil.copytree(models, tmp_path / "bad", ignore=shutil.ignore_patterns("blobs")))
    with serving(Site(bad, PASSWORD)) as site:
        said = create(conda, f"http://{USER}:{PASSWORD}@{site.netloc}/", others, status=1)
    assert "digits" in said.all
    assert PASSWORD not in said.all
    assert "Traceback" not in said.all


def test_the_proxy_of_conda_is_used(conda: Conda, models: Path, others: Path) -> None:
    with serving(Site(models)) as proxy:
        word = f"http: http://{proxy.netloc}"
        (conda.folder / "home").mkdir(parents=True)
        (conda.folder / "home" / ".condarc").write_text(f"proxy_servers:\n  {word}\n")
        create(conda, "http://models.example.invalid/", others)
        assert all(one.startswith("http://models.example.invalid/") for one in proxy.asked)
        assert proxy.asked_blobs()
    assert blobs()


def test_the_certificates_of_conda_are_trusted_and_no_others(
    conda: Conda, models: Path, others: Path, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(Site(models, context=context)) as site:
        url = f"https://{site.netloc}/"
        create(conda, url, others, status=1, CONDA_REMOTE_MAX_RETRIES="0")
        assert not blobs()
        create(conda, url, others, CONDA_SSL_VERIFY=str(tmp_path / "ca.pem"))
        assert site.asked_blobs()
    assert blobs()
