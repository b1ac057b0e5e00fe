import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import type { Op } from '../../compiler/graph/graph.js';
import type { Cache } from '../../compiler/ir/ops.js';
import type { Region } from '../../compiler/kernels/kernel.js';
import { modelSpec } from '../../compiler/model/load.js';
import { runPasses } from '../../compiler/passes/index.js';
import { planCaches } from '../../compiler/plan/caches.js';
import { lower } from '../../compiler/plan/lower.js';
import { type Plan, planJson, verifyPlan } from '../../compiler/plan/plan.js';
import { cudaTarget, hostTarget } from '../../compiler/target/target.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { readGolden } from '../support/goldens.js';
import { expertNodes, FAMILIES, makeSpec, type SpecOptions } from '../support/specs.js';

const TARGETS = [hostTarget(), cudaTarget(['sm_90a'])];

function planOf(options: SpecOptions = {}, target = TARGETS[1]!, contextLength = 64): Plan {
  const spec = makeSpec(options);
  return lower(spec, runPasses(buildGraph(spec)), target, { contextLength, compilerVersion: '0.0.0' });
}

describe.each(Object.entries(FAMILIES))('%s', (_, options) => {
  it.each(TARGETS)('takes five nodes a layer, more for some experts, and three ($kind)', (target) => {
    const each = 3 + (options.experts ? expertNodes(options).length : 2);
    for (const layers of [1, 2, 5])
      expect(planOf({ ...options, layers }, target).programs[0].nodes).toHaveLength(each * layers + 3);
  });

  it.each(TARGETS)('gives no two live buffers the same bytes ($kind)', (target) => {
    const { memory, programs } = planOf({ ...options, layers: 3 }, target);
    const { buffers } = programs[0];
    for (const a of buffers) {
      expect(a.offset + a.bytes).toBeLessThanOrEqual(memory.arenaBytes);
      for (const b of buffers) {
        const together = a !== b && a.firstNode <= b.lastNode && b.firstNode <= a.lastNode;
        const overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
        expect(together && overlap, `${a.name} and ${b.name}`).toBe(false);
      }
    }
  });

  it.each(TARGETS)('gives no two weights the same bytes, nor the file any but once ($kind)', (target) => {
    const { tensors, memory } = planOf({ ...options, layers: 2 }, target);
    expect(new Set(tensors.map(({ name }) => name)).size).toBe(tensors.length);
    // Gate and up lie between each other.
    const placed = tensors
      .filter(({ name }) => !name.includes('ffn_up'))
      .sort((a, b) => a.deviceOffset - b.deviceOffset);
    for (const [i, tensor] of placed.slice(1).entries())
      expect(tensor.deviceOffset).toBeGreaterThanOrEqual(placed[i]!.deviceOffset + placed[i]!.deviceBytes);
    for (const { deviceOffset, deviceBytes } of tensors)
      expect(deviceOffset + deviceBytes).toBeLessThanOrEqual(memory.weightsBytes);
  });
});

describe('a plan', () => {
  it('has one kernel for the nodes of all layers that have the same shape', () => {
    const [few, many] = [planOf({ layers: 2 }), planOf({ layers: 9 })];
    expect(many.kernels.map(({ symbol }) => symbol)).toEqual(few.kernels.map(({ symbol }) => symbol));
    expect(many.kernels.length).toBe(8);
  });

  it('looks ahead after attention, to the next projection, where blocks of two nodes do not stand side by side', () => {
    const target = cudaTarget(['sm_90a']);
    const alone = { ...target, projection: { ...target.projection, coResident: null } };
    const looking = (plan: Plan) =>
      plan.programs[0].nodes.flatMap(({ name, args }, i) => {
        const ahead = args.find((arg) => arg.name === 'prefetched');
        return ahead ? [{ name, i, ahead }] : [];
      });
    expect(looking(planOf({ layers: 3 }))).toEqual([]);
    const plan = planOf({ layers: 3 }, alone);
    expect(looking(plan).map(({ name }) => name)).toEqual(['blk.0.ffn_inp', 'blk.1.ffn_inp', 'blk.2.ffn_inp']);
    for (const { i, ahead } of looking(plan)) {
      const later = plan.programs[0].nodes[i + 1]!.args.find(({ name }) => name === 'weights')!;
      expect(ahead).toMatchObject({ region: later.region, offset: later.offset });
      const { config } = plan.kernels[plan.programs[0].nodes[i]!.kernel]!;
      const next = plan.kernels[plan.programs[0].nodes[i + 1]!.kernel]!.config;
      if (config.kind !== 'projection' || next.kind !== 'projection') throw new Error('not projections');
      expect(config.l2Prefetch?.blocks).toBe(next.blocks);
      expect(config.l2Prefetch?.segments.map(({ groups }) => groups)).toEqual(
        next.segments.map(({ rows }) => Math.ceil(rows / next.groupRows)),
      );
    }
  });

  it('stores the sum that a projection reads from that node to the last that adds it', () => {
    const { kernels, programs } = planOf({ ...FAMILIES.gemma2, layers: 3 });
    const { nodes, buffers } = programs[0];
    const at = (name: string) => nodes.findIndex((node) => node.name === name);
    const find = (node: number, name: string) => nodes[node]!.args.find((arg) => arg.name === name);
    const argument = (node: number, name: string) => find(node, name)!;
    const [qkv, gateUp, next] = [at('blk.1.attn_qkv'), at('blk.1.ffn_geglu'), at('blk.2.attn_qkv')];
    const lives = (name: string) => buffers.find((buffer) => buffer.name === name)!;
    expect(lives('blk.0.l_out')).toMatchObject({ firstNode: qkv, lastNode: gateUp });
    expect(lives('blk.1.ffn_inp')).toMatchObject({ firstNode: gateUp, lastNode: next });
    expect(argument(qkv, 'sum')).toMatchObject({ region: 'arena', offset: lives('blk.0.l_out').offset });
    expect(argument(gateUp, 'sum_residual').offset).toBe(argument(qkv, 'sum').offset);
    expect(find(at('logits'), 'sum')).toBeUndefined();
    expect(find(at('blk.0.attn_qkv'), 'sum_residual')).toBeUndefined();
    // Layers share kernels, but for the first, which has nothing to add up.
    const kernel = (name: string) => kernels[nodes[at(name)]!.kernel]!;
    expect(kernel('blk.1.attn_qkv')).toBe(kernel('blk.2.attn_qkv'));
    expect(kernel('blk.0.attn_qkv')).not.toBe(kernel('blk.1.attn_qkv'));
    const sums = ['blk.0.attn_qkv', 'blk.1.attn_qkv', 'logits'].map((name) => kernel(name).config);
    expect(sums).toMatchObject([
      { sumInput: false, storeSum: false },
      { sumInput: true, storeSum: true },
      { sumInput: true, storeSum: false },
    ]);
  });

  it('is ordered by edges alone: every node but the first comes after another, programmatically', () => {
    const { nodes } = planOf({ layers: 3 }).programs[0];
    expect(nodes[0]!.after).toEqual([]);
    for (const [index, node] of nodes.entries()) {
      if (index > 0) expect(node.after.length).toBeGreaterThan(0);
      for (const { from, programmatic } of node.after) {
        expect(from).toBeLessThan(index);
        expect(programmatic).toBe(true);
      }
    }
  });

  it('counts a KV cache of layers x KV heads x positions x head size x 2 halves', () => {
    const options = { layers: 3, kvHeads: 2, heads: 4, headSize: 16 };
    expect(planOf(options, TARGETS[0], 64).memory.kvCacheBytes).toBe(3 * 2 * 64 * 16 * 2 * 2);
    expect(planOf(options, TARGETS[0], 64).memory.kvRowBytes).toBe(3 * 2 * 16 * 2 * 2);
  });

  it('lists caches of different sizes one after another, and none of a layer that has none', () => {
    const cache = (id: number, layer: number, heads: number): Cache => ({ id, layer, kind: 'kv', heads, headSize: 20 });
    const attention = (one: Cache, window?: number) =>
      ({ kind: 'attention', cache: one, ...(window && { window }) }) as unknown as Op;
    const windowed = cache(3, 4, 2);
    const ops = [
      attention(cache(0, 0, 2)),
      attention(cache(1, 2, 1), 100),
      attention(cache(2, 3, 4)),
      attention(windowed, 70),
    ];
    const { caches, pages } = planCaches({ ops: [...ops, attention(windowed, 80)] }, 100);
    // f16, heads filled up to 16 elements, pages of 64 positions; those with a window shorter than the context apart.
    expect(
      caches.map(({ layer, rowBytes, region, offset, bytes }) => [layer, rowBytes, region, offset, bytes]),
    ).toEqual([
      [0, 256, 'kv_cache', 0, 64 * 256],
      [2, 128, 'kv_cache', 64 * 256, 64 * 128],
      [3, 512, 'kv_cache', 64 * 384, 64 * 512],
      [4, 256, 'kv_window', 0, 64 * 256],
    ]);
    expect(pages).toEqual([
      { region: 'kv_cache', bytes: 64 * 896, window: 0 },
      { region: 'kv_window', bytes: 64 * 256, window: 80 },
    ]);
  });

  it('counts the weights that one token reads as the file has them', () => {
    const spec = makeSpec({ layers: 2 });
    const matrices = spec.layers.flatMap((layer) => [
      ...[layer.attnQ, layer.attnK, layer.attnV, layer.attnOutput, layer.ffnGate!, layer.ffnUp!, layer.ffnDown!],
    ]);
    const bytes = [...matrices, spec.output].reduce((sum, weight) => sum + weight.bytes, 0);
    expect(planOf({ layers: 2 }).memory.tokenReadBytes).toBe(bytes + 4 * spec.embeddingLength);
  });

  it('counts of the experts only those that a token chooses', () => {
    const options: SpecOptions = { layers: 1, experts: 8, used: 3 };
    const { attnOutput, ffnRouter, ffnGateExperts, ffnUpExperts, ffnDownExperts } = makeSpec(options).layers[0]!;
    const { nodes } = planOf(options).programs[0];
    const bytes = (name: string) => nodes.find((node) => node.name === `blk.0.${name}`)!.readBytes;
    expect(bytes('ffn_inp')).toBe(attnOutput.bytes + ffnRouter!.bytes);
    expect(bytes('ffn_moe_swiglu')).toBe((3 * (ffnGateExperts!.bytes + ffnUpExperts!.bytes)) / 8);
    expect(bytes('l_out')).toBe((3 * ffnDownExperts!.bytes) / 8);
  });

  it('says of each node what it reads', () => {
    const options = { layers: 2, kvHeads: 2, heads: 4, headSize: 16 };
    const { attnQ, attnK, attnV, attnOutput, ffnGate, ffnUp, ffnDown } = makeSpec(options).layers[1]!;
    const matrices = {
      attn_qkv: [attnQ, attnK, attnV],
      attn_kqv: [],
      ffn_inp: [attnOutput],
      ffn_swiglu: [ffnGate, ffnUp],
      l_out: [ffnDown],
    };
    const { nodes } = planOf(options).programs[0];
    for (const [name, weights] of Object.entries(matrices)) {
      const { readBytes, kvRowBytes, kvPositions } = nodes.find((node) => node.name === `blk.1.${name}`)!;
      expect(readBytes, name).toBe(weights.reduce((sum, weight) => sum + weight!.bytes, 0));
      expect(kvRowBytes, name).toBe(name === 'attn_kqv' ? 2 * 16 * 2 * 2 : 0);
      expect(kvPositions, name).toBe(name === 'attn_kqv' ? 64 : 0);
    }
  });

  it.each([
    [16, [16, 64, 16]],
    [64, [64, 64, 64]],
    [100, [64, 64, 64]],
  ])('counts of the KV cache no more than a window of %i and the context', (window, expected) => {
    const { nodes } = planOf({ layers: 3, window }).programs[0];
    expect(nodes.filter(({ kvRowBytes }) => kvRowBytes > 0).map(({ kvPositions }) => kvPositions)).toEqual(expected);
  });

  it('reads its state and nothing else that changes: no argument but pointers', () => {
    const { nodes } = planOf({ layers: 1 }).programs[0];
    const regions = new Set(nodes.flatMap(({ args }) => args.map(({ region }) => region)));
    expect([...regions].sort()).toEqual(['arena', 'kv_cache', 'slots', 'state', 'weights']);
    for (const { args } of nodes) expect(new Set(args.map(({ name }) => name)).size).toBe(args.length);
    const state = nodes.filter(({ args }) => args.some(({ name }) => name === 'state')).map(({ name }) => name);
    expect(state).toHaveLength(3); // embedding, attention, selection
  });

  it('fills rings before the wait in a golden model, so that the host target runs it', () => {
    const spec = modelSpec(readGguf(readGolden('llama-q4_0').model));
    const { kernels } = lower(spec, runPasses(buildGraph(spec)), hostTarget(), {
      contextLength: 64,
      compilerVersion: 'test',
    });
    const paced = (symbol: string) => {
      const config = kernels.find((kernel) => kernel.symbol === symbol)?.config;
      return (
        config?.kind === 'projection' && config.prefetchStages > config.prefetchAtOnce && { holdsAll: config.holdsAll }
      );
    };
    expect(paced('realizar_ffn_inp')).toEqual({ holdsAll: true });
    expect(paced('realizar_ffn_swiglu')).toEqual({ holdsAll: false });
  });

  it('is stable JSON', () => {
    const text = planJson(planOf());
    expect(text).toBe(planJson(planOf()));
    expect(JSON.parse(text)).toEqual(planOf());
    expect(text.endsWith('}\n')).toBe(true);
  });

  it('has the formats of its tensors, in the order of their ids', () => {
    expect(planOf({ type: 'F16' }).formats).toEqual(['F32', 'F16']);
  });
});

describe('the rules of plans', () => {
  const plan = planOf({ layers: 1 });
  const broken: [string, Plan, RegExp][] = [
    ['no nodes', withNodes([]), /no nodes/],
    ['a node that comes after itself', withNode(1, { after: [{ from: 1, programmatic: true }] }), /comes after node 1/],
    ['a node that nothing orders', withNode(2, { after: [] }), /depends on nothing/],
    ['a kernel that is not there', withNode(0, { kernel: 99 }), /names kernel 99/],
    ['two nodes of one name', withNode(1, { name: plan.programs[0].nodes[0]!.name }), /share a name/],
    [
      'an argument outside its region',
      withNode(0, { args: [argument('arena', plan.memory.arenaBytes)] }),
      /points to arena/,
    ],
    ['weights that no node reads', withNode(1, { readBytes: 0 }), /readBytes are not tokenReadBytes together/],
    ['a cache that no node reads', withNode(2, { kvRowBytes: 0 }), /kvRowBytes are not kvRowBytes together/],
    ['a cache that is read at no position', withNode(2, { kvPositions: 0 }), /attn_kqv reads 64 bytes of 0 positions/],
    ['a cache that is longer than the context', withNode(2, { kvPositions: 65 }), /attn_kqv reads 64 bytes of 65 pos/],
    ['positions of no cache', withNode(1, { kvPositions: 1 }), /attn_qkv reads 0 bytes of 1 positions/],
    ['an argument before its region', withNode(0, { args: [argument('weights', -4)] }), /points to weights \+ -4/],
    ['an unaligned argument', withNode(0, { args: [argument('weights', 2)] }), /points to weights \+ 2/],
    ['a cache that leaves its region', { ...plan, caches: [{ ...plan.caches[0]!, offset: 64 }] }, /cache 0 leaves/],
    ['an empty arena', { ...plan, memory: { ...plan.memory, arenaBytes: 0 } }, /arena has 0 bytes/],
    ['a tensor past the file', withTensor({ fileOffset: plan.model.fileBytes }), /leaves the file/],
    ['a tensor in the header', withTensor({ fileOffset: 0 }), /leaves the file/],
    ['a tensor past the weights', withTensor({ deviceOffset: plan.memory.weightsBytes }), /leaves the weights region/],
  ];

  function withNode(index: number, changes: object): Plan {
    return withNodes(plan.programs[0].nodes.map((node, i) => (i === index ? { ...node, ...changes } : node)));
  }
  function withNodes(nodes: Plan['programs'][0]['nodes']): Plan {
    return { ...plan, programs: [{ ...plan.programs[0], nodes }] };
  }
  function withTensor(changes: object): Plan {
    return { ...plan, tensors: plan.tensors.map((tensor, i) => (i === 3 ? { ...tensor, ...changes } : tensor)) };
  }
  function argument(region: Region, offset: number) {
    return { name: 'output', region, offset };
  }

  it('hold for what lower makes', () => expect(verifyPlan(plan)).toBe(plan));
  it.each(broken)('refuse %s', (_, bad, message) => expect(() => verifyPlan(bad)).toThrow(message));
});

it('refuses a graph that writes what an attention reads before its wait', () => {
  const spec = makeSpec({ layers: 2 });
  const graph = runPasses(buildGraph(spec));
  const [select, ...rest] = [graph.ops.at(-1)!, ...graph.ops.slice(0, -1)];
  const last = rest.findLastIndex(({ kind }) => kind === 'attend');
  const early = { ...graph, ops: [...rest.slice(0, last), select, ...rest.slice(last)] };
  const options = { contextLength: 64, compilerVersion: '0.0.0' };
  expect(() => lower(spec, early, TARGETS[1]!, options)).toThrow(
    'blk.1.attn_kqv reads before its wait what select writes',
  );
});

it('lines all nodes up', () => {
  const { nodes } = planOf({ ...FAMILIES.qwen2moe, layers: 2 }).programs[0];
  for (const [index, { after }] of nodes.entries())
    expect(after).toEqual(index === 0 ? [] : [{ from: index - 1, programmatic: true }]);
});

it('refuses a sum of experts with nothing between it and what chooses them', () => {
  const spec = makeSpec({ experts: 4, used: 1, layers: 1, feedForward: 12 });
  const graph = runPasses(buildGraph(spec));
  const [gated, summed] = graph.ops.filter((op) => op.kind === 'experts');
  const ops = graph.ops.flatMap((op) => (op === gated ? [] : [op === summed ? { ...op, input: gated!.input } : op]));
  const options = { contextLength: 64, compilerVersion: '0.0.0' };
  expect(() => lower(spec, { ...graph, ops }, TARGETS[1]!, options)).toThrow(
    'blk.0.l_out reads blk.0.ffn_moe_logits before its wait, and no node that waits is between them',
  );
});
