/** Declared reads and writes -> the edges of the graph. */

/** Bytes [start, end) of a region of memory. */
export interface Interval {
  readonly region: string;
  readonly start: number;
  readonly end: number;
}

/** A node in program order, as far as its dependencies go. */
export interface EdgeNode {
  readonly reads: readonly Interval[];
  readonly writes: readonly Interval[];
  /** Every block of the node's kernel executes griddepcontrol.wait before it touches what is declared here. */
  readonly waits: boolean;
}

/** The node that has this edge runs after node `from`. programmatic: it may start earlier, and waits itself. */
export interface Edge {
  readonly from: number;
  readonly programmatic: boolean;
}

/**
 * The edges into each node, by ascending `from`: read after write, write after read and write after write, less the
 * edges that others imply.
 *
 * Leaving out an implied edge a -> c of a -> b -> c is sound only if b complete means a complete. With full edges that
 * holds because b starts after a. A programmatic edge lets b start before a is complete, and then it holds only because
 * b completes after its own wait, which returns when a is complete. So a node that does not wait gets full edges, and
 * `waits` must be true of the kernel: one that ends without its wait breaks the order for the nodes after it.
 */
export function planEdges(nodes: readonly EdgeNode[]): Edge[][] {
  const ancestors: Uint32Array[] = [];
  return nodes.map((node, to) => {
    checkIntervals(node, to);
    const before = new Uint32Array(Math.ceil(nodes.length / 32));
    const edges: Edge[] = [];
    // From the nearest: whatever an edge already implies is in `before` by the time it is looked at.
    for (let from = to - 1; from >= 0; from--) {
      if (has(before, from) || !conflict(nodes[from]!, node)) continue;
      edges.push({ from, programmatic: node.waits });
      addAll(before, ancestors[from]!);
      before[from >>> 5]! |= 1 << (from & 31);
    }
    ancestors.push(before);
    return edges.reverse();
  });
}

function conflict(earlier: EdgeNode, later: EdgeNode): boolean {
  return (
    overlap(earlier.writes, later.reads) ||
    overlap(earlier.reads, later.writes) ||
    overlap(earlier.writes, later.writes)
  );
}

function overlap(some: readonly Interval[], others: readonly Interval[]): boolean {
  return some.some((a) => others.some((b) => a.region === b.region && a.start < b.end && b.start < a.end));
}

/** An empty interval overlaps nothing that it stands beside, so it can only be a mistake. */
function checkIntervals({ reads, writes }: EdgeNode, index: number): void {
  for (const { region, start, end } of [...reads, ...writes]) {
    if (!(start >= 0 && start < end)) throw new Error(`node ${index} declares ${region} bytes [${start}, ${end})`);
  }
}

function has(set: Uint32Array, member: number): boolean {
  return ((set[member >>> 5]! >>> (member & 31)) & 1) === 1;
}

function addAll(to: Uint32Array, from: Uint32Array): void {
  for (let i = 0; i < to.length; i++) to[i]! |= from[i]!;
}
