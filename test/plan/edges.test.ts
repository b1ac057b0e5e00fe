import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Edge, type EdgeNode, type Interval, planEdges } from '../../compiler/plan/edges.js';
import { processorMs } from '../support/time.js';

const interval = (region: string, start: number, end: number): Interval => ({ region, start, end });
const node = (reads: Interval[], writes: Interval[], waits = true): EdgeNode => ({ reads, writes, waits });
const [A, B, C] = [interval('arena', 0, 4), interval('arena', 4, 8), interval('arena', 8, 12)];
const from = (edges: Edge[][]) => edges.map((list) => list.map((edge) => edge.from));

const SIZE = 12;
const anyInterval = fc
  .record({
    region: fc.constantFrom('arena', 'state'),
    start: fc.nat(SIZE - 1),
    length: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ region, start, length }) => interval(region, start, Math.min(SIZE, start + length)));
const anyNodes: fc.Arbitrary<EdgeNode[]> = fc.array(
  fc.record({
    reads: fc.array(anyInterval, { maxLength: 3 }),
    writes: fc.array(anyInterval, { maxLength: 2 }),
    waits: fc.boolean(),
  }),
  { maxLength: 14 },
);

/** What each node reads and what memory holds at the end, when the nodes run in this order on symbolic memory. */
function replay(nodes: readonly EdgeNode[], order: readonly number[]): { seen: string[]; memory: [string, string][] } {
  const memory = new Map<string, string>();
  const bytes = ({ region, start, end }: Interval) =>
    Array.from({ length: end - start }, (_, i) => `${region} ${start + i}`);
  const seen: string[] = [];
  for (const index of order) {
    const { reads, writes } = nodes[index]!;
    const read = reads.flatMap(bytes).map((byte) => memory.get(byte) ?? 'unwritten');
    seen[index] = read.join();
    for (const byte of writes.flatMap(bytes)) memory.set(byte, `written by ${index}`);
  }
  return { seen, memory: [...memory].sort() };
}

/** One order that the edges allow; the picks choose among the nodes that are ready. */
function anyOrder(edges: Edge[][], picks: readonly number[]): number[] {
  const order: number[] = [];
  const left = new Set(edges.keys());
  while (left.size > 0) {
    const ready = [...left].filter((to) => edges[to]!.every((edge) => !left.has(edge.from)));
    const next = ready[picks[order.length]! % ready.length]!;
    order.push(next);
    left.delete(next);
  }
  return order;
}

function reaches(edges: Edge[][], start: number, goal: number): boolean {
  return edges[start]!.some((edge) => edge.from === goal || reaches(edges, edge.from, goal));
}

describe('planEdges', () => {
  it('orders a read after the write, a write after the read, and a write after a write', () => {
    expect(from(planEdges([node([], [A]), node([A], [B])]))).toEqual([[], [0]]);
    expect(from(planEdges([node([A], [B]), node([], [A])]))).toEqual([[], [0]]);
    expect(from(planEdges([node([], [A]), node([], [A])]))).toEqual([[], [0]]);
  });

  it('leaves nodes apart that only read the same bytes, or touch other bytes or other regions', () => {
    expect(from(planEdges([node([A], [B]), node([A], [C])]))).toEqual([[], []]);
    expect(from(planEdges([node([], [A]), node([B], [C])]))).toEqual([[], []]);
    expect(from(planEdges([node([], [A]), node([{ ...A, region: 'state' }], [B])]))).toEqual([[], []]);
  });

  it('sees that intervals overlap by one byte', () => {
    expect(from(planEdges([node([], [interval('arena', 0, 5)]), node([interval('arena', 4, 8)], [])]))).toEqual([
      [],
      [0],
    ]);
  });

  it('joins what forked, in ascending order, and leaves out what others imply', () => {
    const fork = [node([], [A]), node([A], [B]), node([A], [C]), node([A, B, C], [])];
    expect(from(planEdges(fork))).toEqual([[], [0], [0], [1, 2]]);
  });

  it('marks the edges into a node that waits, and only those, as programmatic', () => {
    const chain = [node([], [A]), node([A], [B], false), node([B], [C])];
    expect(planEdges(chain)).toEqual([[], [{ from: 0, programmatic: false }], [{ from: 1, programmatic: true }]]);
  });

  it('allows only orders that give what program order gives', () => {
    const picks = fc.array(fc.nat(100), { minLength: 14, maxLength: 14 });
    fc.assert(
      fc.property(anyNodes, picks, (nodes, picks) => {
        const order = anyOrder(planEdges(nodes), picks);
        expect(replay(nodes, order)).toEqual(replay(nodes, [...nodes.keys()]));
      }),
      { numRuns: 500 },
    );
  });

  it('has no edge that others imply, and none between nodes that may change places', () => {
    fc.assert(
      fc.property(anyNodes, (nodes) => {
        const edges = planEdges(nodes);
        for (const [to, list] of edges.entries()) {
          for (const edge of list) {
            const others = edges.with(
              to,
              list.filter((other) => other !== edge),
            );
            expect(reaches(others, to, edge.from)).toBe(false);
            const pair = [nodes[edge.from]!, { ...nodes[to]!, waits: true }];
            expect(from(planEdges(pair))).toEqual([[], [0]]);
          }
        }
      }),
    );
  });

  it('plans 400 nodes in a few milliseconds', () => {
    // Five nodes a layer, as the models have; the cache of each layer is a region's part of its own.
    const nodes = Array.from({ length: 400 }, (_, i) => {
      const at = (j: number) => interval('arena', (j % 6) * 4096, (j % 6) * 4096 + 4096);
      return node([at(i + 5), at(i + 4), interval('state', 0, 16)], [at(i), interval('kv', i * 64, i * 64 + 64)]);
    });
    const independent = nodes.map((_, i) => node([interval('state', 0, 16)], [interval('kv', i, i + 1)]));
    for (const list of [nodes, independent]) {
      expect(Math.min(...Array.from({ length: 5 }, () => processorMs(() => planEdges(list))))).toBeLessThan(50);
    }
  });

  it.each([
    ['an empty interval', interval('arena', 4, 4)],
    ['one that ends before it starts', interval('arena', 8, 4)],
    ['one before the region', interval('arena', -4, 4)],
    ['one of no number', interval('arena', 0, Number.NaN)],
  ])('refuses %s, naming the node', (_, bad) => {
    expect(() => planEdges([node([], [A]), node([bad], [])])).toThrow('node 1 declares arena bytes [');
    expect(() => planEdges([node([], [bad])])).toThrow('node 0 declares arena bytes [');
  });
});
