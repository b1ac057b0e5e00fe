/** What each pass over lowered nodes changes, and what it leaves as it was. */
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../compiler/graph/build.js';
import type { FusedOp } from '../../compiler/kernels/index.js';
import type { ProjectionConfig } from '../../compiler/kernels/projection/config.js';
import { runPasses } from '../../compiler/passes/index.js';
import { aroundAttention, coResidency } from '../../compiler/plan/co_residency.js';
import { coResidentExperts } from '../../compiler/plan/co_resident_experts.js';
import { earlyRelease } from '../../compiler/plan/early_release.js';
import { planEdges } from '../../compiler/plan/edges.js';
import { lowerDependent, lowerNodes } from '../../compiler/plan/lower_nodes.js';
import { configOf, isProjection, type Lowering } from '../../compiler/plan/lowering.js';
import { nodePasses } from '../../compiler/plan/node_passes.js';
import { oneAtATime } from '../../compiler/plan/one_at_a_time.js';
import { prefetchL2 } from '../../compiler/plan/prefetch_l2.js';
import { prefetchStages } from '../../compiler/plan/prefetch_stages.js';
import { cudaTarget, type Target } from '../../compiler/target/target.js';
import { planningOf } from '../support/planning.js';
import { makeSpec, type SpecOptions } from '../support/specs.js';

const H100 = cudaTarget(['sm_90a']);
const A100 = cudaTarget(['sm_80']);
/** Llama 3.2 1B: what is around attention fits into stages; of the 8B it does not. */
const SMALL: SpecOptions = { embedding: 2048, feedForward: 8192, heads: 32, kvHeads: 8, headSize: 64, type: 'Q8_0' };
const LARGE: SpecOptions = { embedding: 4096, feedForward: 14336, heads: 32, kvHeads: 8, headSize: 128, type: 'Q8_0' };

const opsOf = (options: SpecOptions) => runPasses(buildGraph(makeSpec(options))).ops as readonly FusedOp[];
const lowered = (options: SpecOptions, target: Target) => lowerNodes(opsOf(options), planningOf(target, 4096));
const projections = ({ nodes }: Lowering): Record<string, ProjectionConfig> =>
  Object.fromEntries(nodes.filter(isProjection).map(({ name, configs: [config] }) => [name, config]));

describe('co_residency', () => {
  it('gives every projection and attention room beside each other where all around attention fits', () => {
    const before = lowered(SMALL, H100);
    const after = coResidency(before, planningOf(H100, 4096));
    for (const { blocksPerMultiprocessor } of Object.values(projections(before)))
      expect(blocksPerMultiprocessor).toBe(1);
    for (const { blocksPerMultiprocessor, holdsAll } of Object.values(projections(after)))
      expect([blocksPerMultiprocessor, holdsAll]).toEqual([2, false]);
    for (const node of after.nodes.filter(({ op }) => op.kind === 'attend'))
      expect(configOf(node)).toMatchObject({ leastShared: H100.projection.coResident!.attentionShared });
  });

  it.each([
    ['what is around attention does not fit', LARGE, H100],
    ['the GPU has no room for two blocks', SMALL, A100],
  ])('changes nothing where %s', (_, options, target) => {
    const before = lowered(options, target);
    expect(coResidency(before, planningOf(target, 4096))).toBe(before);
  });

  it('knows the projections before and after each attention', () => {
    const around = aroundAttention(opsOf(SMALL));
    const places = [...around].map(([op, where]) => [op.kind === 'projection' && op.output.name, where]);
    expect(places.slice(0, 2)).toEqual([
      ['blk.0.attn_qkv', 'before'],
      ['blk.0.ffn_inp', 'after'],
    ]);
    expect(places).toHaveLength(4);
  });
});

describe('prefetch_stages', () => {
  const planning = planningOf(H100, 4096);
  const started = coResidency(lowered(SMALL, H100), planning);

  it('fills the stages of the node after the one after attention, and of no other', () => {
    const after = projections(prefetchStages(started, planning));
    const filled = Object.keys(after).filter((name) => after[name]!.prefetchStages > after[name]!.prefetchAtOnce);
    expect(filled).toEqual(['blk.0.ffn_swiglu', 'blk.1.ffn_swiglu']);
    for (const name of filled) expect(after[name]!.prefetchStages).toBe(after[name]!.stages);
  });

  it('not where the node between reads for too short a time', () => {
    const projection = { ...H100.projection, prefetchCycles: 1e9 };
    const short = planningOf({ ...H100, projection }, 4096);
    expect(prefetchStages(started, short).nodes).toEqual(started.nodes);
  });

  it('not of blocks that are alone', () => {
    const alone = lowered(LARGE, H100);
    expect(prefetchStages(alone, planning).nodes).toEqual(alone.nodes);
  });
});

describe('early_release', () => {
  const planning = planningOf(H100, 4096);

  it('lets those go first that hold all that their blocks read, and has them ask for all of it', () => {
    const before = coResidency(lowered(SMALL, H100), planning);
    const after = projections(earlyRelease(before, planning));
    for (const name of ['blk.0.attn_qkv', 'blk.0.ffn_inp'])
      expect(after[name]).toMatchObject({ holdsAll: true, prefetchStages: after[name]!.stages });
    for (const name of ['blk.0.ffn_swiglu', 'blk.0.l_out']) expect(after[name]).toEqual(projections(before)[name]);
  });

  it('none of those that are alone', () => {
    const alone = lowered({}, A100);
    expect(earlyRelease(alone, planningOf(A100)).nodes).toEqual(alone.nodes);
  });
});

describe('prefetch_l2', () => {
  it('has the projection after attention bring the next one, where it is alone', () => {
    const before = lowered(LARGE, H100);
    const { nodes } = prefetchL2(before, planningOf(H100, 4096));
    const prefetching = nodes.filter(({ prefetches }) => prefetches);
    expect(prefetching.map(({ name }) => name)).toEqual(['blk.0.ffn_inp', 'blk.1.ffn_inp']);
    for (const node of prefetching) {
      const later = nodes[nodes.indexOf(node) + 1]!;
      expect(node.prefetches).toBe(later.op);
      expect(configOf(node)).toMatchObject({ l2Prefetch: { blocks: (configOf(later) as ProjectionConfig).blocks } });
    }
  });

  it('nothing beside other blocks', () => {
    const planning = planningOf(H100, 4096);
    const before = coResidency(lowered(SMALL, H100), planning);
    expect(prefetchL2(before, planning).nodes).toEqual(before.nodes);
  });
});

describe('co_resident_experts', () => {
  const options: SpecOptions = { ...SMALL, feedForward: 768, experts: 128, used: 8, type: 'Q4_K' };

  it('begins a sum beside the experts before it, where there is room for two', () => {
    const planning = planningOf(H100, 4096);
    const before = lowerDependent(lowered(options, H100), planning);
    const after = coResidentExperts(before, planning);
    for (const [i, node] of after.nodes.entries()) {
      const isSum = node.op.kind === 'experts' && node.op.sum !== undefined;
      if (!isSum) expect(node).toBe(before.nodes[i]);
      else expect(configOf(node)).toMatchObject({ blocksPerMultiprocessor: 2 });
      if (isSum) expect(configOf(node)).not.toEqual(configOf(before.nodes[i]!));
    }
  });

  it('changes nothing on a GPU without', () => {
    const planning = planningOf(A100, 4096);
    const before = lowerDependent(lowered(options, A100), planning);
    expect(coResidentExperts(before, planning).nodes).toEqual(before.nodes);
  });
});

it('one_at_a_time makes a chain of nodes that touch nothing of each other', () => {
  const node = (start: number) => ({ reads: [], writes: [{ region: 'arena', start, end: start + 4 }], waits: true });
  const nodes = [node(0), node(4), node(8)];
  expect(planEdges(nodes)).toEqual([[], [], []]);
  expect(planEdges(oneAtATime(nodes)).map((edges) => edges.map(({ from }) => from))).toEqual([[], [0], [1]]);
});

it('all passes together leave a kernel for every node but the embedding, whose layout the weights decide', () => {
  for (const options of [SMALL, LARGE, { experts: 4 }])
    for (const target of [H100, A100]) {
      const planning = planningOf(target, 4096);
      const { nodes } = nodePasses.token.reduce((before, { run }) => run(before, planning), lowered(options, target));
      expect(nodes.filter(({ configs }) => configs.length === 0).map(({ op }) => op.kind)).toEqual(['embed']);
    }
});
