# SPDX-License-Identifier: Apache-2.0
"""The wheel, built from a tree without git history, contains everything that the commands need."""

import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.functional.cmd.processes import ROOT, free_port, serving

pytestmark = pytest.mark.slow

NOT_PUBLISHED = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "var", "build", "dist")


def run(*command):
    """Run a command outside the checkout, so that it cannot import modules of the checkout."""
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    tree = tmp_path_factory.mktemp("tree") / "panko"
    shutil.copytree(ROOT, tree, ignore=NOT_PUBLISHED, symlinks=True)
    output = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", output, tree)
    return next(output.glob("panko-*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A virtual environment with the wheel.

    A path file adds the dependencies of the environment of the tests, since a download would take most of a minute.
    Path files of that directory are not read, so a checkout that is installed there as editable stays invisible.
    """
    venv = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    run(sys.executable, "-m", "pip", "--python", venv / "bin/python", "install", "--quiet", "--no-deps", wheel)
    (site_packages,) = venv.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


@pytest.fixture
def config_file(environment, tmp_path):
    path = tmp_path / "panko.conf"
    path.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/panko.sqlite\n")
    assert "up to date now" in run(environment / "bin/panko-dbsync", "--config-file", path)
    return path


def test_panko_comes_from_the_wheel(environment):
    file = run(environment / "bin/python", "-c", "import panko.storage; print(panko.storage.__file__)")
    assert Path(file).is_relative_to(environment)


def test_it_has_the_migrations_and_the_paste_file_as_files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        link_mode = 0o120000
        assert not [info for info in archive.infolist() if info.external_attr >> 16 & 0o170000 == link_mode]
    migrations = {
        f"panko/storage/sqlalchemy/alembic/versions/{path.name}" for path in ROOT.glob("alembic/versions/*.py")
    }
    assert migrations
    assert (
        migrations | {"panko/py.typed", "panko/api/api_paste.ini", "panko/storage/sqlalchemy/alembic/env.py"} <= names
    )
    assert not [name for name in names if "tests" in name or "__pycache__" in name]


def test_it_installs_the_dashboards_for_grafana(environment):
    installed = environment / "share/panko/grafana"
    files = [path for path in (ROOT / "etc/grafana").rglob("*") if path.is_file()]
    assert len(files) == 4
    for path in files:
        assert (installed / path.relative_to(ROOT / "etc/grafana")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("server", ["apache2", "haproxy", "systemd", "uwsgi"])
def test_it_installs_the_files_for_other_servers(environment, server):
    files = list((ROOT / "etc" / server).iterdir())
    assert files
    for path in files:
        assert (environment / "share/panko" / server / path.name).read_bytes() == path.read_bytes()


def test_it_installs_the_policy_by_which_a_project_sees_its_own(environment):
    installed = environment / "share/panko/policy-project.yaml"
    assert installed.read_bytes() == (ROOT / "etc/panko/policy-project.yaml").read_bytes()


@pytest.mark.parametrize(
    ("generator", "name", "known"),
    [
        ("oslo-config-generator", "panko-config-generator.conf", "#event_time_to_live = -1"),
        ("oslopolicy-sample-generator", "panko-policy-generator.conf", "telemetry:events:index"),
    ],
)
def test_it_installs_what_the_generators_of_samples_read(environment, tmp_path, generator, name, known):
    """Packagers run them in a directory to which the paths in the files are relative."""
    installed = environment / "share/panko" / name
    assert installed.read_bytes() == (ROOT / "etc/panko" / name).read_bytes()
    (tmp_path / "etc/panko").mkdir(parents=True)
    program = Path(sys.executable).with_name(generator)
    script = f"cd {tmp_path} && {environment}/bin/python -W ignore {program} --config-file {installed}"
    run("bash", "-c", script)
    (sample,) = (tmp_path / "etc/panko").iterdir()
    assert known in sample.read_text()


def test_every_module_of_the_tree_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "panko").rglob("*.py")} <= names


def test_its_server_answers(environment, config_file, tmp_path):
    port = free_port()
    options = ("--pipeline", "panko+noauth", "--host", "127.0.0.1", "--port", str(port))
    command = [environment / "bin/panko-api", "--config-file", config_file, *options]
    with serving(command, port, tmp_path / "log", cwd="/") as server:
        versions = json.loads(server.get("/").body)["versions"]["values"]
        capabilities = server.get("/v2/capabilities", X_User_Id="u", X_Project_Id="p", X_Roles="member")
        assert str(environment) in server.log
    assert [version["id"] for version in versions] == ["v2"]
    assert capabilities.status == 200


def test_it_has_files_for_web_servers_that_load_one(environment):
    (installed,) = environment.glob("lib/python*/site-packages/panko/api/app.wsgi")
    for file in (environment / "bin/panko-api", installed):
        load = f"import runpy; print(runpy.run_path({str(file)!r}, run_name='_mod_wsgi_1')['application'])"
        assert "panko.wsgi.api" in run(environment / "bin/python", "-c", load)
