"""What the messages of a watch add up to."""

from __future__ import annotations

from dataclasses import dataclass, field

from gesso.v1 import canvas_summary_pb2, group_summary_pb2, node_pb2
from gesso.v1 import coordinator_service_pb2 as pb


@dataclass
class Watched:
    """Canvases, nodes and groups as a client knows them that has got these messages. No message repeats another."""

    canvases: dict[str, canvas_summary_pb2.CanvasSummary] = field(default_factory=dict)
    nodes: dict[str, node_pb2.Node] = field(default_factory=dict)
    groups: dict[str, group_summary_pb2.GroupSummary] = field(default_factory=dict)
    token: str = ""
    snapshots: int = 0
    resets: int = 0
    messages: int = 0

    def take(self, message: pb.WatchCanvasesResponse) -> None:
        """Take a message over."""
        if message.reset:
            self.resets += 1
            self.canvases.clear()
            self.nodes.clear()
            self.groups.clear()
        for canvas in message.canvases:
            assert self.canvases.get(canvas.canvas_id) != canvas, "a canvas is repeated"
            self.canvases[canvas.canvas_id] = canvas
        for node in message.nodes:
            assert self.nodes.get(node.handle.node_id) != node, "a node is repeated"
            self.nodes[node.handle.node_id] = node
        for group in message.groups:
            assert self.groups.get(group.node_id) != group, "a group is repeated"
            self.groups[group.node_id] = group
        assert message.resume_token
        self.token = message.resume_token
        self.snapshots += message.snapshot_complete
        self.messages += 1

    def counts(self, node_id: str) -> dict[str, int]:
        """Return how many members of a group are in which state."""
        return {
            node_pb2.Node.State.Name(each.state).removeprefix("STATE_").lower(): each.count
            for each in self.groups[node_id].counts
        }
