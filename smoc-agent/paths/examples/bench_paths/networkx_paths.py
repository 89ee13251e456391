"""The three policies by networkx; prints the milliseconds that one pair takes, nothing if it takes too long."""

import itertools
import json
import signal
import sys
import time

import networkx as nx

policy, count = sys.argv[1], int(sys.argv[2])
question = json.load(sys.stdin)


def simple_paths(graph, source, target, weight):
    paths = nx.shortest_simple_paths(graph, source, target, weight=weight)
    return list(itertools.islice(paths, count))


def shortest(graph, source, target):
    return simple_paths(graph, source, target, "cost")


def smoc(graph, source, target):
    first = nx.shortest_path(graph, source, target, weight="cost")
    for a, b in itertools.pairwise(first):
        graph[a][b]["shared"] = 1 << 32
    for a, b, link in graph.edges(data=True):
        link["ranked"] = link["cost"] + link.get("shared", 0)
    paths = simple_paths(graph, source, target, "ranked")
    for a, b in itertools.pairwise(first):
        del graph[a][b]["shared"]
    return [first] + [path for path in paths if path != first][: count - 1]


def diverse(graph, source, target):
    graph.nodes[source]["demand"], graph.nodes[target]["demand"] = -count, count
    flow = nx.network_simplex(graph)
    graph.nodes[source]["demand"] = graph.nodes[target]["demand"] = 0
    return flow


if policy == "diverse":
    graph = nx.MultiDiGraph()
    for a, b, cost in question["links"]:
        for n in range(count):
            graph.add_edge(a, b, weight=cost + (n << 32), capacity=1)
            graph.add_edge(b, a, weight=cost + (n << 32), capacity=1)
else:
    graph = nx.Graph()
    for a, b, cost in question["links"]:
        if not graph.has_edge(a, b) or graph[a][b]["cost"] > cost:
            graph.add_edge(a, b, cost=cost)

search = {"diverse": diverse, "smoc": smoc, "shortest": shortest}[policy]
signal.alarm(30)
done, start = 0, time.process_time()
for target in question["to"]:
    search(graph, question["from"], target)
    done += 1
    if time.process_time() - start > 5:
        break
print((time.process_time() - start) * 1000 / done)
