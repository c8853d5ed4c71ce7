"""YAML in which no key stands twice, of which the last would win unseen."""

from collections.abc import Iterator
from typing import Any

import yaml


def parse_yaml(text: str) -> Any:
    """The content of a YAML document. Raises ValueError that says where, when it is no YAML or has a key twice."""
    try:
        return _constructed(yaml.SafeLoader(text))
    except yaml.YAMLError as error:
        raise ValueError(_sentence(error)) from error


def _constructed(loader: yaml.SafeLoader) -> Any:
    """Keys are compared before merges (`<<`) put those of other mappings beside them."""
    tree = loader.get_single_node()
    if tree is None:
        return None
    for sentence in _repeated(tree, "", set()):
        raise ValueError(sentence)
    return loader.construct_document(tree)


def _repeated(node: yaml.Node, prefix: str, seen: set[int]) -> Iterator[str]:
    """A sentence for each key that a mapping in the tree has twice. seen: ids of nodes, for aliases may form rings."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            yield from _repeated(child, f"{prefix}{number}.", seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, Any], int] = {}
        for key, child in node.value:
            # Only scalars: a mapping as a key is refused by the constructor.
            if not isinstance(key, yaml.ScalarNode):
                continue
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in lines:
                yield f"{prefix}{key.value} is written twice, in lines {lines[name]} and {line}; remove one of them"
            lines[name] = line
            yield from _repeated(child, f"{prefix}{key.value}.", seen)


def _sentence(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"not valid YAML ({' '.join(str(error).split())}); correct it"
    mark, problem = error.problem_mark, " ".join(str(error.problem or error.context).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: not valid YAML ({problem}); correct it there"
