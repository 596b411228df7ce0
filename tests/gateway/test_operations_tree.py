"""A tree that is passed on without being read."""

import json

import pytest

from podium_gateway.errors import BrowserFailed
from podium_gateway.operations.tree import Tree
from podium_protocol.operations import AccessibilityTree, Node

CONFUSING = 'a "nodes":[ and a "ref":"e9" and \\"nodes\\":[{}]} and a "name": "\\'


def node(number: int, name: str, **more: object) -> Node:
    return Node.model_validate({"ref": f"e{number}", "role": "button", "name": name, "depth": 0, **more})


@pytest.mark.parametrize("compact", [True, False], ids=["compact", "with spaces"])
@pytest.mark.parametrize(
    "nodes",
    [
        [],
        [node(0, "Buy"), node(1, "Sell", disabled=True, value="1")],
        [node(0, CONFUSING), node(1, '"ref":', value=CONFUSING)],
        [node(0, "\u2028 \x00 ü \U0001f600")],
    ],
    ids=["empty", "usual", "whose names look like keys", "unicode"],
)
def test_the_nodes_are_those_that_came(nodes: list[Node], compact: bool) -> None:
    sent = AccessibilityTree(url="https://shop.example/?" + CONFUSING, title=CONFUSING, nodes=nodes)
    text = sent.model_dump_json(exclude_none=True)
    tree = Tree.of((text if compact else json.dumps(json.loads(text), indent=1)).encode())
    assert json.loads(tree.nodes) == [one.model_dump(exclude_none=True) for one in nodes]
    assert tree.count == len(nodes)


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"nodes":{}}', b'{"nodes":[', b"<p>nothing"])
def test_an_answer_that_is_no_tree(answer: bytes) -> None:
    with pytest.raises(BrowserFailed):
        Tree.of(answer)
