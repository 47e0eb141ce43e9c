"""Which backend the tests program the kernel with: the one that POLICYC_BACKEND names, netlink where it is not set."""

import os

BACKEND = os.environ.get("POLICYC_BACKEND", "netlink")
IN_PLACE = BACKEND == "netlink"  # it changes what differs; the other one replaces the whole table


def with_backend(words):
    """The words of a policyc command line, told to use that backend where it is not the default and the verb can be."""
    words = [str(word) for word in words]
    return [*words, "--backend", BACKEND] if "apply" in words and not IN_PLACE else words
