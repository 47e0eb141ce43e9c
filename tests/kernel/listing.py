"""What `nft -j list` says of a table or of all, in a form in which two of them can be compared."""

import json


def without_handles(value):
    if isinstance(value, dict):
        return {key: without_handles(item) for key, item in value.items() if key not in ("handle", "expires")}
    return [without_handles(item) for item in value] if isinstance(value, list) else value


def listing(text):
    """One line for each object, so that a difference can be shown."""
    items = json.loads(text)["nftables"]
    # Which of two sets was made first says nothing: maps to chains need their chains first in JSON.
    of_sets = lambda item: "set" in item or "map" in item  # noqa: E731
    order = [item for item in items if not of_sets(item)]
    order += sorted(filter(of_sets, items), key=lambda item: next(iter(item.values()))["name"])
    return "\n".join(json.dumps(without_handles(item)) for item in order)
