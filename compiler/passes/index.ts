/** The passes in the order they run: unfused graph in, one operation a kernel out. */
import type { Graph } from '../graph/graph.js';
import { verifyFused, verifyGraph, verifyPrimitive } from '../graph/verify.js';
import { type ProgramKind, TOKEN } from '../ir/programs.js';
import { foldActivation } from './fold_activation.js';
import { foldConstants } from './fold_constants.js';
import { foldNorm } from './fold_norm.js';
import { foldNormAdd } from './fold_norm_add.js';
import { foldOperandNorm } from './fold_operand_norm.js';
import { foldOperandSum } from './fold_operand_sum.js';
import { foldResidual } from './fold_residual.js';
import { foldRouter } from './fold_router.js';
import { fuseAttention } from './fuse_attention.js';
import { fuseExperts } from './fuse_experts.js';
import { fuseGateUp } from './fuse_gate_up.js';
import { fuseSelect } from './fuse_select.js';
import { lowerLinear } from './lower_linear.js';
import { lowerNorm } from './lower_norm.js';
import { lowerRows } from './lower_rows.js';
import { makeOperands } from './make_operands.js';
import { selectRows } from './select_rows.js';
import { shareOperands } from './share_operands.js';
import { splitAttend } from './split_attend.js';
import { splitExperts } from './split_experts.js';

/** Keeps what the graph computes, to the bit; where its pattern does not apply it leaves the operations as they are. */
export interface Pass {
  readonly name: string;
  readonly run: (graph: Graph) => Graph;
}

/** Norms stay apart from what reads them until it is known which operands products share. */
const MANY_ROWS: readonly Pass[] = [
  { name: 'select_rows', run: selectRows },
  { name: 'fuse_attention', run: fuseAttention },
  { name: 'fuse_experts', run: fuseExperts },
  { name: 'fuse_gate_up', run: fuseGateUp },
  { name: 'lower_linear', run: lowerLinear },
  { name: 'fold_activation', run: foldActivation },
  { name: 'lower_norm', run: lowerNorm },
  { name: 'fold_constants', run: foldConstants },
  { name: 'fold_residual', run: foldResidual },
  { name: 'split_experts', run: splitExperts },
  { name: 'make_operands', run: makeOperands },
  { name: 'fold_operand_norm', run: foldOperandNorm },
  { name: 'share_operands', run: shareOperands },
  { name: 'fold_operand_sum', run: foldOperandSum },
  { name: 'split_attend', run: splitAttend },
  { name: 'lower_rows', run: lowerRows },
];

/** For each kind of program. */
export const passes: Readonly<Record<ProgramKind['name'], readonly Pass[]>> = {
  token: [
    { name: 'fuse_attention', run: fuseAttention },
    { name: 'fuse_experts', run: fuseExperts },
    { name: 'fuse_gate_up', run: fuseGateUp },
    { name: 'lower_linear', run: lowerLinear },
    { name: 'fold_activation', run: foldActivation },
    { name: 'fold_norm', run: foldNorm },
    { name: 'lower_norm', run: lowerNorm },
    { name: 'fold_constants', run: foldConstants },
    { name: 'fold_residual', run: foldResidual },
    { name: 'fold_norm_add', run: foldNormAdd },
    { name: 'fold_router', run: foldRouter },
    { name: 'fuse_select', run: fuseSelect },
  ],
  batch: MANY_ROWS,
  prompt: MANY_ROWS,
  // Its nodes are made of the others' products.
  load: [],
};

/** Throws a plain Error where a rule of the IR (verify.ts) does not hold, or where an operation has no fused form. */
export function runPasses(graph: Graph, program = TOKEN): Graph {
  verifyPrimitive(graph);
  const fused = passes[program.name].reduce(runPass, graph);
  verifyFused(fused);
  return fused;
}

function runPass(graph: Graph, pass: Pass): Graph {
  const result = pass.run(graph);
  try {
    verifyGraph(result);
  } catch (error) {
    throw new Error(`after pass ${pass.name}: ${(error as Error).message}`, { cause: error });
  }
  return result;
}
