/**
 * co_resident_experts: blocks of a sum of experts begin beside those of the experts before it, where a multiprocessor has
 * room for both. What they read, but for the choice of experts, is asked for while the other node works.
 *
 * Measured on an H200: qwen3moe-30b-a3b-12l Q4_K_M 2982 -> 3057 tokens/s, gpt-oss-20b MXFP4 850 -> 869
 * (docs/lab/2026-11-29-experts.md).
 */
import { type ExpertsConfig, expertsConfig } from '../kernels/experts/config.js';
import { configOf, type LoweredNode, type Lowering, type Planning } from './lowering.js';

export function coResidentExperts(lowering: Lowering, { target }: Planning): Lowering {
  const nodes = lowering.nodes.map((node, index, all): LoweredNode => {
    const before = index > 0 ? configOf(all[index - 1]!) : undefined;
    if (node.op.kind !== 'experts' || !node.op.sum || before?.kind !== 'experts') return node;
    if (before.blocksPerMultiprocessor < 2) return node;
    const { accumulated } = configOf(node) as ExpertsConfig;
    return { ...node, configs: [expertsConfig(node.op, target, { accumulated, beside: before.sharedBytes })] };
  });
  return { ...lowering, nodes };
}
