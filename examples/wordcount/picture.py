"""Shows words, and a canvas as a tree of its nodes: in colour on a terminal, as plain text elsewhere."""

from datetime import timedelta

from rich.console import Console
from rich.text import Text

from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1.node_pb2 import Node

console = Console(highlight=False, soft_wrap=True)
MOST_MEMBERS = 12  # of a group; the rest is counted
BAR = 32
COLORS = {"succeeded": "green", "failed": "red", "dead": "red", "running": "yellow"}


def show_words(words, title):
    """Show words and how often each is there, the most frequent first."""
    console.print(f"\n{title}\n", style="bold")
    most = max((count for _, count in words), default=1)
    for word, count in words:
        bar = Text("█" * max(1, round(BAR * count / most)), style="cyan")
        console.print(Text(f"  {word:16} {count:6}  ").append(bar))


def show_tree(app, node_id, labels=()):
    """Show the steps that lead to a node, groups with their members.

    Args:
        app: Where the canvas was submitted.
        node_id: Id of the canvas's last node.
        labels: What to call the members of its group.
    """
    canvas_id = node_id.rpartition("-")[0]
    canvas = app.coordinator.get_canvas(pb.GetCanvasRequest(canvas_id=canvas_id)).canvas
    nodes = "1 node" if canvas.node_count == 1 else f"{canvas.node_count} nodes"
    console.print(f"\ncanvas {canvas_id}: {nodes}, trace {canvas.trace_id}", style="bold")
    rows = []
    for node, branch, stem in branches(list_steps(app, node_id)):
        rows.append((branch + name(node), node))
        members, more = list_members(app, node)
        named = [
            *zip(members, (f" {label}" for label in labels), strict=False),
            *([(None, f"and {more} more")] if more else []),
        ]
        for (member, label), twig, _ in branches(named):
            rows.append((f"{stem}{twig}{name(member)}{label}", member))
    width = max(len(text) for text, _ in rows)
    for text, node in rows:
        console.print(Text(f"{text:{width}}  ").append_text(facts(node)) if node else text)


def list_steps(app, node_id):
    """Return a node and the steps before it, the first one first."""
    steps: list[Node] = []
    while node_id:
        node = app.coordinator.get_node(pb.GetNodeRequest(node_id=node_id)).node
        steps.insert(0, node)
        node_id = node.parent.node_id
    return steps


def list_members(app, node):
    """Return the first members of a group, and how many more there are."""
    if node.handle.kind != Node.KIND_JOIN:
        return [], 0
    request = pb.ListNodesRequest(members_of=node.handle.node_id, page_size=MOST_MEMBERS)
    members = list(app.coordinator.list_nodes(request).nodes)
    return members, node.handle.member_count - len(members)


def branches(items):
    """Yield each item with what a tree draws before it, and before what is below it."""
    for item in items:
        last = item is items[-1]
        yield item, "└── " if last else "├── ", "    " if last else "│   "


def name(node):
    """Return what to call a node; nothing for none."""
    if node is None:
        return ""
    return node.task.rpartition(".")[2] or f"group of {node.handle.member_count}"


def facts(node):
    """Return a node's state, span and duration: how long a task ran, or a group was on its way."""
    state = Node.State.Name(node.state).removeprefix("STATE_").lower()
    took = node.run_duration.ToTimedelta()
    if node.handle.kind == Node.KIND_JOIN:
        took = node.finish_time.ToDatetime() - node.create_time.ToDatetime()
    milliseconds = f"{took / timedelta(milliseconds=1):8.1f} ms"
    return Text.assemble(
        (f"{state:10}", COLORS.get(state, "")), (f"span {node.span_id}", "dim"), milliseconds
    )
