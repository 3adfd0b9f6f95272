#!/bin/sh
# Send every file of FOLDER/inbox, the oldest name first: nightly.sh FOLDER [OPTION...]
# The options are passed on; they have to be such as both the main job and `retry` have.
# Ends in 0 when all is updated, in 1 when a person has to look at FOLDER/attention, else with
# the code of the run that stopped: the next start goes on from there.
set -u

# Pass on what a run has said, when there is something to know: it did not go well, or there is a warning.
tell() {
    case $code:$said in
        0:*WARNING* | [!0]*) printf '%s\n' "$said" >&2 ;;
    esac
}

folder=${1:?usage: nightly.sh FOLDER [OPTION...]}
shift
cd "$folder" || exit 2
mkdir -p inbox ledgers done attention
worst=0

for input in inbox/*; do
    [ -f "$input" ] || continue
    name=${input##*/}
    ledger=ledgers/$name.ledger.ndjson

    code=0
    said=$(exec 2>&1; bulk-update "$input" --ledger "$ledger" --quiet "$@") || code=$?
    tell
    if [ "$code" -eq 1 ]; then
        # What merely went unanswered is settled by this, before a later file changes the same activities.
        code=0
        said=$(exec 2>&1; bulk-update retry "$ledger" --quiet "$@") || code=$?
        tell
    fi

    case $code in
        0)
            mv "$input" "$ledger" done/
            ;;
        1)
            bulk-update report "$ledger" >&2
            mv "$input" "$ledger" attention/
            worst=1
            ;;
        *)
            exit "$code"
            ;;
    esac
done

exit "$worst"
