#!/bin/sh
# jq, GNU parallel and curl: what a shell has.
#
#     parallel_curl.sh URL INPUT
#
# jq makes the bodies of requests of 100 rows each, parallel runs a curl and a jq for each of them, 16 at a time.
# Prints how many rows were updated.
set -eu
jq --compact-output --slurp '
    group_by(.organizationId)[] | .[0].organizationId as $organization | map(del(.organizationId))
    | range(0; length; 100) as $at | {data: {organizationId: $organization, activities: .[$at:$at + 100]}}
' "$2" |
    parallel --will-cite --jobs 16 --pipe --max-replace-args 1 "curl --silent --data-binary @- \
        --header 'content-type: application/json' --header 'x-velt-api-key: k' --header 'x-velt-auth-token: t' \
        $1/v2/activities/update | jq '[.result.data[] | select(.success)] | length'" |
    awk '{ updated += $1 } END { print updated + 0 }'
