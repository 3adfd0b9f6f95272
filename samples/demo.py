"""Show the main job on the samples, against the sandbox inside the program: run it with `make demo`.

It ends with 0 when everything went as it should: some records are missing and some rows are invalid, the
run says so, and the retry updates what was missing once the records are there.
"""

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEDGER = "build/demo/activities.ledger.ndjson"


def main() -> int:
    """Run each step and compare its exit code with the expected one."""
    (ROOT / LEDGER).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / LEDGER).unlink(missing_ok=True)
    went_well = True

    say("What would be sent? Nothing leaves, no credentials are needed.")
    went_well &= bulk_update("check samples/activities.ndjson", expected=1)

    say("The main job, in the sandbox. Five records do not exist there, and seven rows are invalid.")
    run = f"samples/activities.ndjson --sandbox --sandbox-seed samples/seed.ndjson --ledger {LEDGER}"
    went_well &= bulk_update(run, expected=1)

    say("The ledger has a line for every row, and for every request before it went out:")
    show_ledger()

    say("What is not updated, as a file that can be mended and used as input:")
    went_well &= bulk_update(f"failures {LEDGER}", expected=0, shown=3)

    say("Somebody restored the five records. The retry needs the ledger alone:")
    went_well &= bulk_update(f"retry {LEDGER} --sandbox", expected=1)

    say("The same command again sends nothing: every row has its result.")
    went_well &= bulk_update(run, expected=1)

    say("As it should be: all is updated but the seven invalid rows." if went_well else "NOT as it should be.")
    return 0 if went_well else 1


def say(text: str) -> None:
    """Print a heading."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def bulk_update(words: str, *, expected: int, shown: int | None = None) -> bool:
    """Run one command; `shown`: lines of its output to show, all by default."""
    print(f"$ bulk-update {words}", flush=True)
    command = [sys.executable, "-m", "bulk_update", *shlex.split(words)]
    if shown is None:
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
    else:
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        code, lines = done.returncode, done.stdout.splitlines()
        print("\n".join(line[:150] for line in lines[:shown]), f"... {len(lines)} rows", sep="\n", flush=True)
    print(f"exit code {code}", flush=True)
    return code == expected


def show_ledger() -> None:
    """Print one line of each type."""
    seen: set[str] = set()
    print(f"$ head {LEDGER}")
    for line in (ROOT / LEDGER).read_text().splitlines():
        kind = line.split('"', 4)[3]
        if kind not in seen:
            seen.add(kind)
            print(line[:150])
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
