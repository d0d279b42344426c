"""Sharing a built repository: `dvc push` and `dvc pull`, `star1 responses pack` and `unpack`, against plain copies.

    python benchmarks/sharing.py    # 4 minutes; this repository must be built (`make repro`), and committed

Pushes what the committed dvc.lock names from this repository's cache to a folder and to an S3-compatible server (moto,
in this process), and pulls it in a clone with an empty cache. The rivals move the same files: `cp -r` for the folder,
a loop over boto3's upload_file and download_file for S3. `again` has nothing left to move. Responses are packed into
an archive and unpacked into an empty store; the rival is `tar -cz` and `tar -xz` of the store. Wall and CPU seconds are
those of the whole command, start of Python included, the least of three rounds, each to a new place; the server's CPU
seconds are not counted.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import boto3
from measuring import timed

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.s3 import serving  # noqa: E402

ROUNDS, BUCKET = 3, "team"
DVC, STAR1, SELF = (
    [sys.executable, *rest] for rest in (["-m", "dvc"], ["-c", "from star1.cli import main; main()"], [__file__])
)
ACCOUNT = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


def upload(address: str, prefix: str, folder: Path) -> None:
    """Send all files of a folder, in the plain way."""
    client = boto3.client("s3", endpoint_url=address)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            client.upload_file(str(file), BUCKET, f"{prefix}/{file.relative_to(folder)}")


def download(address: str, prefix: str, folder: Path) -> None:
    """Fetch all files below a prefix, in the plain way."""
    client = boto3.client("s3", endpoint_url=address)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
        for entry in page["Contents"]:
            place = folder / entry["Key"]
            place.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(BUCKET, entry["Key"], str(place))


def sizes(folder: Path) -> list[int]:
    """Return the bytes of each file, in order."""
    return sorted(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def clone(place: Path, remote: str, address: str, cache: Path | None = None) -> Path:
    """Clone this repository to `place`, with a remote and, if given, somebody's cache."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(place)], check=True)
    lines = ["[core]", "remote = storage", "['remote \"storage\"']", f"url = {remote}"]
    lines += [f"endpointurl = {address}"] * remote.startswith("s3:")
    lines += ["[cache]", f"dir = {cache}"] * (cache is not None)
    (place / ".dvc/config.local").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


def share(folder: Path, address: str, kind: str, times: dict[str, list[tuple[float, float]]]) -> Path:
    """Push, pull and copy once each below `folder`, add the times, and return the folder with what was pulled."""
    stored, copy = folder / "remote", folder / "copy"
    remote = str(stored) if kind == "folder" else f"s3://{BUCKET}/{folder.name}"
    ours = clone(folder / "ours", remote, address, ROOT / ".dvc/cache")
    theirs = clone(folder / "theirs", remote, address)
    pulled = theirs / ".dvc/cache"
    for name, place in (("push", ours), ("push again", ours), ("pull", theirs), ("pull again", theirs)):
        times[f"dvc {name}"].append(timed([*DVC, name.split()[0]], place))
    copied, back = (["cp", "-r", str(pulled), str(copy)], ["cp", "-r", str(copy), str(folder / "back")])
    if kind == "s3":
        copied = [*SELF, "upload", address, f"{folder.name}-copy", str(pulled)]
        back = [*SELF, "download", address, f"{folder.name}-copy", str(folder / "back")]
    times["plain copy there"].append(timed(copied, folder))
    times["plain copy back"].append(timed(back, folder))
    assert sizes(pulled) == sizes(folder / "back")
    return pulled


def respond(folder: Path, times: dict[str, list[tuple[float, float]]]) -> tuple[Path, Path]:
    """Pack and unpack once, with ours and with tar; add the times and return both archives."""
    home, archive, tar = folder / "home", folder / "responses", folder / "responses.tar.gz"
    shutil.copytree(ROOT / ".star1/responses", home / "responses")
    place = clone(folder / "clone", str(folder), "")
    for name, where in (("pack", home), ("pack again", home), ("unpack", folder / "empty")):
        os.environ["STAR1_HOME"] = str(where)
        times[f"star1 responses {name}"].append(timed([*STAR1, "responses", name.split()[0], str(archive)], place))
    times["tar -cz"].append(timed(["tar", "-czf", str(tar), "-C", str(home), "responses"], folder))
    (folder / "untarred").mkdir()
    times["tar -xz"].append(timed(["tar", "-xzf", str(tar), "-C", str(folder / "untarred")], folder))
    return archive, tar


def show(title: str, times: dict[str, list[tuple[float, float]]]) -> None:
    """Print the least seconds of each command."""
    print(title)
    for name, seconds in times.items():
        wall, cpu = (min(each) for each in zip(*seconds, strict=True))
        print(f"  {name:24} {wall:6.2f} s {cpu:6.2f} CPU s")


def described(place: Path) -> str:
    """Return the number of files and their size."""
    found = sizes(place) if place.is_dir() else [place.stat().st_size]
    return f"{len(found):,} files, {sum(found) / 2**20:.1f} MiB"


def main() -> None:
    os.environ |= ACCOUNT
    with tempfile.TemporaryDirectory() as name, serving(BUCKET) as address:
        os.environ["DVC_SITE_CACHE_DIR"] = f"{name}/site"  # what DVC remembers of remotes
        for kind in ("folder", "s3"):
            times: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for number in range(ROUNDS):
                folder = Path(name) / f"{kind}-{number}"
                folder.mkdir()
                pulled = share(folder, address, kind, times)
            show(f"{kind}: {described(pulled)}", times)
        times = defaultdict(list)
        for number in range(ROUNDS):
            archive, tar = respond(Path(name) / f"responses-{number}", times)
        store = described(ROOT / ".star1/responses/responses.sqlite")
        show(f"responses: store {store}; packed {described(archive)}; tar {described(tar)}", times)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"upload": upload, "download": download}[sys.argv[1]](sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        main()
