import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import { reads, writes } from '../../compiler/graph/graph.js';
import type { Value } from '../../compiler/ir/ops.js';
import { runPasses } from '../../compiler/passes/index.js';
import { type BufferRequest, planBuffers } from '../../compiler/plan/buffers.js';
import { makeSpec } from '../support/specs.js';

const request = (name: string, bytes: number, firstUse: number, lastUse: number) => ({
  name,
  bytes,
  firstUse,
  lastUse,
});

const requests: fc.Arbitrary<BufferRequest[]> = fc
  .array(
    fc.record({
      bytes: fc.oneof(fc.constant(512), fc.integer({ min: 1, max: 5000 })),
      firstUse: fc.nat(30),
      length: fc.nat(8),
    }),
    {
      maxLength: 40,
    },
  )
  .map((list) => list.map(({ bytes, firstUse, length }, i) => request(`b${i}`, bytes, firstUse, firstUse + length)));
const alignments = fc.constantFrom(1, 16, 256);

const aligned = (bytes: number, alignment: number) => Math.ceil(bytes / alignment) * alignment;
const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
const aliveAt = (node: number) => (r: BufferRequest) => r.firstUse <= node && node <= r.lastUse;

/** The most bytes that are alive at one node: no plan can need less. */
function mostAlive(list: readonly BufferRequest[], alignment: number): number {
  const at = list.map(({ firstUse }) => sum(list.filter(aliveAt(firstUse)).map((r) => aligned(r.bytes, alignment))));
  return Math.max(0, ...at);
}

describe('planBuffers', () => {
  it('keeps apart whatever is alive at the same node', () => {
    fc.assert(
      fc.property(requests, alignments, (list, alignment) => {
        const { offsets, totalBytes } = planBuffers(list, alignment);
        for (let node = 0; node <= 40; node++) {
          const alive = list.filter(aliveAt(node)).map((r) => ({ start: offsets.get(r.name)!, bytes: r.bytes }));
          alive.sort((a, b) => a.start - b.start);
          for (const [i, { start, bytes }] of alive.entries()) {
            expect(start % alignment).toBe(0);
            expect(start + bytes).toBeLessThanOrEqual(alive[i + 1]?.start ?? totalBytes);
          }
        }
      }),
    );
  });

  it('needs no more than all of them side by side, and no less than the most alive at once', () => {
    fc.assert(
      fc.property(requests, alignments, (list, alignment) => {
        const { totalBytes } = planBuffers(list, alignment);
        expect(totalBytes).toBeLessThanOrEqual(sum(list.map((r) => aligned(r.bytes, alignment))));
        expect(totalBytes).toBeGreaterThanOrEqual(mostAlive(list, alignment));
      }),
    );
  });

  it('does not depend on the order of the requests', () => {
    const shuffled = requests.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    const sorted = (list: BufferRequest[]) => [...planBuffers(list).offsets].sort();
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        expect(sorted(other)).toEqual(sorted(list));
      }),
    );
  });

  it('gives a buffer the bytes of one that died before, never of one that dies in the same node', () => {
    const apart = planBuffers([request('read', 256, 0, 1), request('written', 256, 1, 2)]);
    expect(apart.totalBytes).toBe(512);
    const shared = planBuffers([request('read', 256, 0, 1), request('later', 256, 2, 3)]);
    expect(shared.totalBytes).toBe(256);
  });

  it('takes the tightest gap that fits', () => {
    // At node 2, b and d are dead and leave gaps of 512 and 256 bytes; f fits both.
    const list = [request('a', 1024, 0, 9), request('b', 512, 0, 1), request('c', 384, 0, 9), request('d', 256, 0, 1)];
    const { offsets } = planBuffers([...list, request('e', 192, 0, 9), request('f', 128, 2, 9)], 64);
    expect(offsets.get('f')).toBe(offsets.get('d'));
  });

  it('needs the least possible for the activations of a fused model', () => {
    const graph = runPasses(buildGraph(makeSpec({ layers: 6, feedForward: 300, embedding: 100, vocab: 50 })));
    const uses = new Map<Value, number[]>();
    for (const [node, op] of graph.ops.entries()) {
      for (const value of [...writes(op).values, ...reads(op).values])
        uses.set(value, [...(uses.get(value) ?? []), node]);
    }
    const list = [...uses].map(([value, nodes]) =>
      request(value.name, Math.max(value.cols, 1) * 4, Math.min(...nodes), Math.max(...nodes)),
    );
    expect(planBuffers(list).totalBytes).toBe(mostAlive(list, 256));
  });

  it('has an empty plan for no requests', () => {
    expect(planBuffers([])).toEqual({ offsets: new Map(), totalBytes: 0 });
  });

  it.each([
    ['two of a name', [request('x', 1, 0, 1), request('x', 1, 2, 3)], 'two buffers have the same name'],
    ['an empty one', [request('x', 0, 0, 1)], 'buffer x has 0 bytes'],
    ['half a byte', [request('x', 0.5, 0, 1)], 'buffer x has 0.5 bytes'],
    ['a life that ends before it starts', [request('x', 1, 2, 1)], 'buffer x lives from node 2 to 1'],
  ])('refuses %s', (_, list, message) => {
    expect(() => planBuffers(list)).toThrow(message);
  });
});
