"""The wheel: built from a copy of the tree, installed into a fresh environment."""

from __future__ import annotations

import configparser
import os
import shutil
import site
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, version

from twisted.trial.unittest import SynchronousTestCase

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: What a build needs of the tree.
SOURCES = ("setup.cfg", "pyproject.toml", "README.rst", "mailhub", "twisted")
#: From here on setuptools builds wheels without the package of that name.
OWN_WHEELS = 70
TWISTD = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
#: Seconds that a build or an installation may take.
PATIENCE = 300


def can_build() -> bool:
    """Whether a wheel can be built with what is installed, without any download."""
    try:
        if int(version("setuptools").partition(".")[0]) >= OWN_WHEELS:
            return True
        version("wheel")
    except PackageNotFoundError:
        return False
    return True


def call(*command: str, folder: str) -> str:
    """What *command* writes; it has to succeed."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def shadow(packages: str, copy: str) -> None:
    """Make *copy* a folder of links to all in *packages* that is not mailhub's.

    The environment of the tests may have a mailhub of its own.
    """
    os.makedirs(copy, exist_ok=True)
    for entry in os.scandir(packages):
        target = os.path.join(copy, entry.name)
        if entry.name.lower().startswith(("mailhub", "__editable__")):
            continue
        if entry.name in ("twisted", "plugins") and entry.is_dir():
            shadow(entry.path, target)
        elif not os.path.lexists(target):
            os.symlink(entry.path, target)


class WheelTests(SynchronousTestCase):
    """``pip install .`` makes ``twistd mailhub`` and the mailhub command."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def build(self) -> str:
        """The path of a new wheel."""
        tree = os.path.join(self.folder, "tree")
        os.mkdir(tree)
        for name in SOURCES:
            source, target = os.path.join(ROOT, name), os.path.join(tree, name)
            if os.path.isdir(source):
                ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
                shutil.copytree(source, target, ignore=ignored)
            elif os.path.exists(source):
                shutil.copy(source, target)
        isolation = ["--no-build-isolation", "--no-index"] if can_build() else []
        call(
            *(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", *isolation),
            *("-w", "dist", tree),
            folder=self.folder,
        )
        [name] = os.listdir(os.path.join(self.folder, "dist"))
        return os.path.join(self.folder, "dist", name)

    def install(self, wheel: str) -> tuple[str, str]:
        """A new environment with *wheel*: its programs and its packages.

        What mailhub depends on comes from the environment of the tests.
        """
        place = os.path.join(self.folder, "venv")
        venv.create(place, symlinks=True)
        paths = {"base": place, "platbase": place}
        programs = sysconfig.get_path("scripts", "venv", paths)
        packages = sysconfig.get_path("purelib", "venv", paths)
        python = os.path.join(programs, "python")
        call(
            *(sys.executable, "-m", "pip", "--python", python, "install", "-q"),
            *("--no-deps", "--no-index", wheel),
            folder=self.folder,
        )
        dependencies = os.path.join(self.folder, "dependencies")
        for outer in site.getsitepackages():
            shadow(outer, dependencies)
        with open(os.path.join(packages, "dependencies.pth"), "w") as file:
            file.write(dependencies + "\n")
        return programs, packages

    def test_it_holds_the_packages_and_the_plugins_and_nothing_else(self) -> None:
        with zipfile.ZipFile(self.build()) as wheel:
            names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        self.assertIn("mailhub/imap/commands/__init__.py", names)
        outside = {name for name in names if not name.startswith("mailhub/")}
        plugins = {"mailhub_plugin.py", "mailhub_auth.py"}
        self.assertEqual(outside, {f"twisted/plugins/{name}" for name in plugins})
        in_tree = {
            os.path.relpath(os.path.join(folder, name), ROOT)
            for folder, _, files in os.walk(os.path.join(ROOT, "mailhub"))
            for name in files
            if name.endswith(".py")
        }
        self.assertEqual(in_tree - set(names), set())

    def test_twistd_and_the_command_find_it(self) -> None:
        programs, packages = self.install(self.build())
        python = os.path.join(programs, "python")
        listed = call(python, "-c", TWISTD, "--help", folder=self.folder)
        self.assertRegex(listed, r"\n +mailhub +A mail server: ")
        place = (
            "import twisted.plugins.mailhub_plugin as plugin; print(plugin.__file__)"
        )
        found = call(python, "-c", place, folder=self.folder).strip()
        self.assertEqual(
            found, os.path.join(packages, "twisted/plugins/mailhub_plugin.py")
        )
        options = call(python, "-c", TWISTD, "mailhub", "--help", folder=self.folder)
        self.assertIn("--config=", options)
        settings = configparser.ConfigParser(interpolation=None)
        settings.read(os.path.join(ROOT, "setup.cfg"))
        self.assertEqual(
            call(os.path.join(programs, "mailhub"), "version", folder=self.folder),
            f"mailhub {settings['metadata']['version']}\n",
        )
