"""Write the sample inputs and the seed that goes with them: `python samples/generate.py [FOLDER]`.

Without FOLDER the files beside this script are written anew. The same bytes come out every time: chance
is seeded, and time is a number that stands below.
"""

import csv
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

Fields = dict[str, Any]
Item = TypeVar("Item")

NDJSON_CHANGES = 360
CSV_CHANGES = 240
NDJSON_MISSING = (40, 111, 178, 246, 333)
"""Changes, by number from 0, of activities that are not in the seed."""
CSV_MISSING = (33, 120, 207)
NDJSON_REPEATS = ((28, 29), (57, 142), (88, 301), (160, 350))
"""Changes to the same activity: the later one replaces the wording of the earlier."""

FIRST_TIMESTAMP = 1_722_409_519_944
"""Milliseconds since 1970: Wednesday 31 July 2024."""

LETTERS = "23456789abcdefghjkmnpqrstvwxyz"

USERS = {
    "acme-design": [
        "Zoë Çelik",
        "Ben Okafor",
        "Amélie O\N{RIGHT SINGLE QUOTATION MARK}Connor",
        "陈伟",
        "Søren Åkesson",
    ],
    "northwind": ["Priya Raman", "Lukas Müller", "Grace Kim", "José Nuñez"],
    "globex-legal": ["Hanna Virtanen", "Олена Ковальчук", "David Stein", "Nguyễn Thị Hạnh"],
    "bluebird-studio": ["Marta Wójcik", "Tom Ferreira", "Aiko 佐藤"],
    "kestrel-infra": ["Sam Patel", "Ingrid Þórsdóttir", "Ravi Iyer"],
    "harbor-health": ["Nadia Haddad", "Oluwaseun Adé", "Erin Walsh"],
}
DOCUMENTS = {
    "acme-design": ["Homepage redesign", "Design tokens v3", "Onboarding \N{EN DASH} mobile", "Icon audit"],
    "northwind": ["Purchase order 8841", "Q3 forecast", "Supplier list; EMEA", "Price list 2024"],
    "globex-legal": ["Master services agreement", "NDA “Project Elm”", "Data processing addendum"],
    "bluebird-studio": ["Trailer cut 4", "Interview \N{EN DASH} day 2", "Sound mix"],
    "kestrel-infra": ["Runbook: failover", "Capacity plan", "Postmortem 2024-07-12"],
    "harbor-health": ["Intake form", "Care plan template", "Consent wording"],
}
TEXTS = [
    "Looks good to me 👍",
    "Can we align this with the 8 px grid?",
    'The label says "Sign in", the button says "Log in".',
    "Please check the figures in row 14; the total is off by 3,20 €.",
    "Moved to C:\\exports\\q3\\final, the old path is gone.",
    "First point: wording.\nSecond point: the date.",
    "Größe passt, Farbe nicht \N{EN DASH} bitte #1A73E8 verwenden.",
    "このままで大丈夫です。",
    "Clause 7.2 needs the new liability cap.",
    "Column A\tColumn B\tneeds one more header",
    "See https://wiki.example.com/a/b?c=1&d=2 for the background.",
    "<b>Not</b> HTML, please show it as it is.",
    "Approved — ship it 🚀",
    "Why is this null and not 0?",
]
STATUSES = [("OPEN", "Open"), ("IN_PROGRESS", "In progress"), ("RESOLVED", "Resolved")]
REACTIONS = ["thumbs-up", "heart", "eyes", "tada", "rocket"]
SERVICES = ["billing-api", "edge-proxy", "search-indexer", "mailer"]


class Draw:
    """Chance, seeded. Rests on `random()` alone, the one method whose numbers no release may change."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def number(self, low: int, high: int) -> int:
        """Return a whole number from `low` up to, not with, `high`."""
        return low + int(self._random() * (high - low))

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of `items`."""
        return items[self.number(0, len(items))]

    def token(self, length: int) -> str:
        """Return an identifier of `length` letters and digits."""
        return "".join(self.pick(LETTERS) for _ in range(length))


@dataclass(frozen=True)
class Scene:
    """Where an activity took place; `target`: what follows the prefix in its target's id."""

    organization: str
    user: Fields
    document: Fields
    target: str


@dataclass(frozen=True)
class Story:
    """What was done, how it was recorded, and what the migration sets in its place."""

    feature: str
    action: str
    target: str
    recorded: Fields
    change: Fields


@dataclass(frozen=True)
class Activity:
    """An activity: its record as the seed has it, and what the input changes in it."""

    record: Fields
    change: Fields


# --- kinds of activities -----------------------------------------------------------------------------


def comment_added(scene: Scene, _draw: Draw) -> Story:
    """Reword the message and give it the document's title."""
    change = {
        "displayMessageTemplate": "{{user.name}} commented on {{document.title}}",
        "displayMessageTemplateData": {"user": scene.user, "document": scene.document},
    }
    recorded = {"displayMessageTemplate": "{{user}} added a comment"}
    return Story("comment", "comment.add", f"ann-{scene.target}", recorded, change)


def comment_status(scene: Scene, draw: Draw) -> Story:
    """Replace status names by status objects."""
    before = draw.number(0, 2)
    (old_id, old_name), (new_id, new_name) = STATUSES[before], STATUSES[draw.number(before + 1, 3)]
    recorded = {
        "changes": {"status": {"from": old_name, "to": new_name}},
        "displayMessageTemplate": "{{user}} changed status",
    }
    status = {"from": {"id": old_id, "name": old_name}, "to": {"id": new_id, "name": new_name}}
    change = {
        "changes": {"status": status},
        "displayMessageTemplate": "{{user.name}} moved this thread from {{from}} to {{to}}",
        "displayMessageTemplateData": {"user": scene.user, "from": old_name, "to": new_name},
    }
    return Story("comment", "comment_annotation.status_change", f"ann-{scene.target}", recorded, change)


def comment_edited(scene: Scene, draw: Draw) -> Story:
    """Replace the snapshots of thread and comment."""
    annotation, comment, text = f"ann-{scene.target}", draw.number(100_000, 999_999), draw.pick(TEXTS)
    recorded = {
        "entityData": {"annotationId": annotation, "status": "OPEN"},
        "entityTargetData": {"commentId": comment, "text": text},
        "displayMessageTemplate": "{{user}} edited a comment",
    }
    change = {
        "entityData": {
            "annotationId": annotation,
            "status": {"id": "OPEN", "name": "Open", "color": "#625DF5"},
            "from": scene.user,
            "position": {"left": draw.number(0, 1000) / 10, "top": 1.0},
            "comments": [{"commentId": comment, "commentText": text, "attachments": []}],
        },
        "entityTargetData": {"commentId": comment, "commentText": text, "edited": True, "deletedAt": None},
    }
    return Story("comment", "comment.update", annotation, recorded, change)


def reaction_added(scene: Scene, draw: Draw) -> Story:
    """Move the icon to the new host."""
    name = draw.pick(REACTIONS)
    recorded = {
        "displayMessageTemplate": "{{user}} reacted",
        "actionIcon": f"http://cdn.example.net/velt/icons/{name.replace('-', '_')}.png",
    }
    change = {"actionIcon": icon(f"reaction/{name}")}
    return Story("reaction", "reaction.add", f"ann-{scene.target}", recorded, change)


def recording_made(scene: Scene, draw: Draw) -> Story:
    """Give recordings a title, and their times as seconds."""
    recorder, seconds, title = f"rec-{scene.target}", draw.number(20, 600), scene.document["title"]
    recorded = {
        "entityData": {"recorderId": recorder, "type": "screen", "duration": f"{seconds}s"},
        "displayMessageTemplate": "{{user}} recorded a video",
    }
    change = {
        "entityData": {
            "recorderId": recorder,
            "type": "screen",
            "title": f"{title} / take {draw.number(1, 9)}",
            "durationSeconds": float(seconds),
            "playbackRate": 1.0,
            "chapters": [{"at": n * seconds / 4, "title": f"Part {n + 1}"} for n in range(draw.number(1, 4))],
        },
        "displayMessageTemplate": "{{user.name}} recorded “{{title}}”",
        "displayMessageTemplateData": {"user": scene.user, "title": title},
        "actionIcon": icon("recorder/screen"),
    }
    return Story("recorder", "recorder.create", recorder, recorded, change)


def text_edited(scene: Scene, draw: Draw) -> Story:
    """Record what an edit of a shared text replaced, and the clock of its document."""
    editor = f"editor-{scene.target}"
    clock = int("".join(draw.pick("123456789") for _ in range(30)))
    recorded = {"entityData": {"editorId": editor}, "displayMessageTemplate": "{{user}} edited the document"}
    change = {
        "changes": {"content": {"from": draw.pick(TEXTS), "to": draw.pick(TEXTS)}},
        "entityData": {
            "editorId": editor,
            "clock": clock,
            "peers": [draw.number(1, 2**31) for _ in range(3)],
        },
        "displayMessageTemplate": "{{user.name}} edited {{document.title}}",
        "displayMessageTemplateData": {"user": scene.user, "document": scene.document},
    }
    return Story("crdt", "crdt.editor_edit", editor, recorded, change)


def deployed(scene: Scene, draw: Draw) -> Story:
    """Name service and version in the message of a deployment."""
    version = f"v{draw.number(1, 4)}.{draw.number(0, 20)}.{draw.number(0, 10)}"
    change = {
        "displayMessageTemplate": "{{user.name}} deployed {{service}} {{version}} to {{target.region}}",
        "displayMessageTemplateData": {
            "user": scene.user,
            "service": draw.pick(SERVICES),
            "version": version,
            "target": {"region": draw.pick(["eu-west-1", "us-east-1"]), "replicas": draw.number(2, 30)},
        },
        "actionIcon": icon("custom/deployment"),
    }
    recorded = {"displayMessageTemplate": "{{user}} deployed", "actionIcon": "rocket"}
    return Story("custom", "custom", f"deploy-{scene.target}", recorded, change)


def clause_decided(scene: Scene, draw: Draw) -> Story:
    """Write down the step of an approval as a change, with a snapshot of the clause."""
    clause = f"{draw.number(1, 12)}.{draw.number(1, 6)}"
    change = {
        "changes": {
            "approval": {"from": "pending", "to": draw.pick(["approved", "rejected"])},
            "approvers": {"from": [], "to": [scene.user["userId"]]},
            "dueDate": {"from": None, "to": f"2024-0{draw.number(8, 10)}-{draw.number(10, 29)}"},
        },
        "entityTargetData": {"clause": clause, "wording": draw.pick(TEXTS), "binding": True},
        "displayMessageTemplate": "{{user.name}} decided on clause {{clause}}",
        "displayMessageTemplateData": {"user": scene.user, "clause": clause},
    }
    recorded = {"displayMessageTemplate": "{{user}} decided"}
    return Story("custom", "custom", f"clause-{scene.target}", recorded, change)


def order_changed(scene: Scene, draw: Draw) -> Story:
    """Write down amounts as numbers, not as text."""
    before, after = draw.number(1_000, 90_000) / 20, draw.number(1_000, 90_000) / 20
    recorded = {
        "changes": {"amount": {"from": f"{before:.2f}", "to": f"{after:.2f}"}},
        "displayMessageTemplate": "{{user}} changed an order",
    }
    currency = {"from": None, "to": draw.pick(["EUR", "USD"])}
    change = {
        "changes": {"amount": {"from": before, "to": after}, "currency": currency},
        "displayMessageTemplate": "{{user.name}} changed the amount to {{amount}}",
        "displayMessageTemplateData": {"user": scene.user, "amount": after},
    }
    return Story("custom", "custom", f"order-{scene.target}", recorded, change)


Kind = Callable[[Scene, Draw], Story]

KINDS: dict[str, tuple[int, list[Kind]]] = {
    "acme-design": (26, [comment_added, comment_added, comment_status, comment_edited, reaction_added]),
    "northwind": (20, [order_changed, order_changed, comment_added, comment_status]),
    "globex-legal": (18, [clause_decided, clause_decided, comment_edited, comment_status, text_edited]),
    "bluebird-studio": (15, [recording_made, recording_made, reaction_added, comment_added]),
    "kestrel-infra": (12, [deployed, deployed, text_edited, reaction_added]),
    "harbor-health": (9, [text_edited, comment_edited, comment_added]),
}
"""Organizations: how many of a hundred activities are theirs, and of which kinds these are."""

SHARES = [organization for organization, (share, _) in KINDS.items() for _ in range(share)]


def icon(name: str) -> str:
    """Return the URL of an icon on the new host."""
    return f"https://static.example.com/activity/v2/{name}.svg"


def scene_in(organization: str, draw: Draw) -> Scene:
    """Return a user, a document and a target of an organization."""
    names, titles = USERS[organization], DOCUMENTS[organization]
    who, what = draw.number(0, len(names)), draw.number(0, len(titles))
    user = {"userId": f"{organization}-user-{who + 1}", "name": names[who]}
    document = {"id": f"{organization}-doc-{what + 1}", "title": titles[what]}
    return Scene(organization, user, document, draw.token(8))


def activity_in(organization: str, kind: Kind, draw: Draw, number: int) -> Activity:
    """Return an activity; `number` is its place in time, from 0."""
    scene = scene_in(organization, draw)
    story = kind(scene, draw)
    keys = {"organizationId": organization, "id": f"{story.feature}-{draw.token(10)}"}
    record = {
        "featureType": story.feature,
        "actionType": story.action,
        "actionUser": scene.user | {"email": f"{scene.user['userId']}@example.com"},
        "timestamp": FIRST_TIMESTAMP + number * 754_321,
        "metadata": {"documentId": scene.document["id"], "organizationId": organization},
        "targetEntityId": story.target,
        "displayMessageTemplateData": {"user": scene.user},
    }
    return Activity(keys | record | story.recorded, keys | story.change)


# --- activities.ndjson -------------------------------------------------------------------------------


def ndjson_activities() -> list[Activity]:
    """Return the activities behind activities.ndjson, one for each valid row."""
    draw = Draw(20240731)
    activities = []
    for number in range(NDJSON_CHANGES):
        organization = draw.pick(SHARES)
        activities.append(activity_in(organization, draw.pick(KINDS[organization][1]), draw, number))
    for earlier, later in NDJSON_REPEATS:
        first = activities[earlier]
        keys = {key: first.record[key] for key in ("organizationId", "id")}
        activities[later] = Activity(first.record, keys | SECOND_WORDING)
    return activities


SECOND_WORDING = {
    "displayMessageTemplate": "{{user.name}} was active here",
    "displayMessageTemplateData": {"user": {"name": "A former member"}},
}


def as_compact(change: Fields) -> str:
    """Write a row without a space."""
    return json.dumps(change, ensure_ascii=False, separators=(",", ":"))


def as_spaced(change: Fields) -> str:
    """Write a row as Python does when told nothing but to leave letters alone."""
    return json.dumps(change, ensure_ascii=False)


def as_ascii(change: Fields) -> str:
    """Write a row in ASCII alone, with each slash escaped, as PHP does."""
    return json.dumps(change, separators=(",", ":")).replace("/", "\\/")


WRITERS = [as_compact] * 4 + [as_ascii] + [as_compact] * 3 + [as_spaced]


def ndjson_line(number: int, change: Fields) -> str:
    """Return row `number`, from 0, as one of the programs would write it that such exports come from."""
    note = {} if number % 16 else {"_ticket": f"MIG-{200 + number}"}
    return WRITERS[number % len(WRITERS)](change | note)


def ndjson_invalid() -> tuple[dict[int, str], list[Activity]]:
    """Return invalid rows by the line that they come to stand on, and the activities they are about."""
    draw = Draw(7)
    activities = [activity_in("northwind", comment_added, draw, NDJSON_CHANGES + n) for n in range(6)]
    wording = {"displayMessageTemplate": "{{user.name}} commented"}
    keys = [{key: activity.record[key] for key in ("organizationId", "id")} for activity in activities]
    activities[1].record["id"] = "40213"
    rows = [
        (31, json.dumps(keys[0] | {"displayMessageTemplte": "{{user.name}} commented"})),
        (87, json.dumps({"organizationId": "northwind"} | wording)),
        (134, json.dumps({"organizationId": "northwind", "id": 40213} | wording)),
        (190, json.dumps(keys[2] | {"changes": "status: Open -> Resolved"})),
        (241, json.dumps(keys[3] | wording)[:-12]),
        (298, json.dumps({"organizationId": "northwind", "activityId": keys[4]["id"], "activity": wording})),
        (355, json.dumps(keys[5])),
    ]
    return dict(rows), activities


def ndjson_text(changes: Sequence[Fields], invalid: dict[int, str]) -> str:
    """Return the file: the changes in order, and the invalid rows on their lines."""
    valid = iter([ndjson_line(number, change) for number, change in enumerate(changes)])
    total = len(changes) + len(invalid)
    return "".join(f"{invalid[line] if line in invalid else next(valid)}\n" for line in range(1, total + 1))


# --- activities.csv ----------------------------------------------------------------------------------

CSV_HEADER = [
    "organizationId",
    "id",
    "displayMessageTemplate",
    "displayMessageTemplateData.user.userId",
    "displayMessageTemplateData.user.name",
    "displayMessageTemplateData.replies:json",
    "changes.status.from",
    "changes.status.to",
    "entityData",
    "actionIcon",
    "_ticket",
]
WORDINGS = [
    "{{user.name}} commented",
    "{{user.name}} replied; {{replies}} replies so far",
    '{{user.name}} wrote a "note", see the thread',
    "{{user.name}} a commenté \N{EN DASH} {{replies}} réponses",
    "{{user.name}} commented.\nOpen the thread to answer.",
]


def csv_activities() -> list[Activity]:
    """Return the activities behind activities.csv, one for each valid row."""
    draw = Draw(81)
    activities = []
    for number in range(CSV_CHANGES):
        activity = activity_in(draw.pick(SHARES), comment_added, draw, NDJSON_CHANGES + 6 + number)
        row = {key: activity.change[key] for key in ("organizationId", "id")} | csv_cells(number, activity, draw)
        activities.append(Activity(activity.record, row))
    return activities


def csv_cells(number: int, activity: Activity, draw: Draw) -> Fields:
    """Return a row's cells by header; every row says something else than the one before."""
    user = activity.change["displayMessageTemplateData"]["user"]
    wording = {
        "displayMessageTemplate": WORDINGS[number // 5 % 5],
        "displayMessageTemplateData.user.userId": user["userId"],
        "displayMessageTemplateData.user.name": user["name"],
        "displayMessageTemplateData.replies:json": str(draw.number(0, 40)),
    }
    before = draw.number(0, 2)
    status = {"changes.status.from": STATUSES[before][1], "changes.status.to": STATUSES[before + 1][1]}
    snapshot = {
        "annotationId": activity.record["targetEntityId"],
        "text": draw.pick(TEXTS),
        "zoom": 1.0,
        "clock": 10**29 + number,
    }
    return [
        wording,
        status | {"_ticket": f"MIG-{600 + number}"},
        {"entityData": as_compact(snapshot)},
        {"actionIcon": icon("comment/bubble")},
        wording | status,
    ][number % 5]


def csv_invalid() -> tuple[dict[int, Fields], list[Activity]]:
    """Return invalid rows by their number, from 0, and the activities they are about."""
    activity = activity_in("globex-legal", comment_added, Draw(9), NDJSON_CHANGES + 6 + CSV_CHANGES)
    keys = {key: activity.record[key] for key in ("organizationId", "id")}
    rows: dict[int, Fields] = {
        74: keys | {"entityData": "{annotationId: ann-1, status: OPEN}"},
        165: {"organizationId": "acme-design", "displayMessageTemplate": "{{user.name}} commented"},
    }
    return rows, [activity]


def csv_text(changes: Sequence[Fields], invalid: dict[int, Fields]) -> str:
    """Return the file: a header, the changes in order, and the invalid rows in their places."""
    valid = iter(changes)
    rows = [invalid[n] if n in invalid else next(valid) for n in range(len(changes) + len(invalid))]
    text = StringIO()
    writer = csv.DictWriter(text, CSV_HEADER, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


# --- all files ---------------------------------------------------------------------------------------


def records_text(records: Sequence[Fields]) -> str:
    """Return records as NDJSON."""
    return "".join(f"{as_compact(record)}\n" for record in records)


def sample_files() -> dict[str, str]:
    """Return the text of each sample by its file's name."""
    from_ndjson, from_csv = ndjson_activities(), csv_activities()
    invalid_lines, about_lines = ndjson_invalid()
    invalid_rows, about_rows = csv_invalid()
    missing = [from_ndjson[n].record for n in NDJSON_MISSING] + [from_csv[n].record for n in CSV_MISSING]
    absent = {record["id"] for record in missing}
    everything = [*from_ndjson, *about_lines, *from_csv, *about_rows]
    records = {activity.record["id"]: activity.record for activity in everything}
    return {
        "activities.ndjson": ndjson_text([activity.change for activity in from_ndjson], invalid_lines),
        "activities.csv": csv_text([activity.change for activity in from_csv], invalid_rows),
        "seed.ndjson": records_text([record for id_, record in records.items() if id_ not in absent]),
        "missing.ndjson": records_text(missing),
    }


def main(words: Sequence[str]) -> None:
    """Write all samples into the folder named first, or beside this script."""
    folder = Path(words[0]) if words else Path(__file__).parent
    for name, text in sample_files().items():
        (folder / name).write_bytes(text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
