/**
 * linear q, k, v of one input; norms of q and k; rope of both, or rope and then norms; kv_append; attention; where it is
 * gated, linear of the same input and head_gate
 *   -> projection with the segments q, k, v and the gates; attend
 *
 * One pass and not two: between the two halves, q, k and v would be parts of one value, which the IR has no name for.
 */
import type { Graph, Op } from '../graph/graph.js';
import { cached } from '../ir/effects.js';
import type { Attention, HeadGate, KvAppend, Linear, NormOp, Rope, Value } from '../ir/ops.js';
import type { Attend } from '../kernels/attend/operation.js';
import { asSegment } from './lower_linear.js';
import { type Edits, freshValues, rewrite, Uses } from './uses.js';

/** A query or a key on its way from the projection to the attention. */
interface RotatedHeads {
  readonly linear: Linear;
  readonly norm?: NormOp;
  readonly rope?: Rope;
  /** The norm comes after the rope. */
  readonly normTurned?: true;
}

interface AttentionMatch {
  readonly attention: Attention;
  readonly append: KvAppend;
  readonly query: RotatedHeads;
  readonly key: RotatedHeads;
  readonly value: Linear;
  readonly gate?: { readonly linear: Linear; readonly op: HeadGate };
}

export function fuseAttention(graph: Graph): Graph {
  const uses = new Uses(graph);
  const fresh = freshValues(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) {
    const match = op.kind === 'attention' && matchAttention(uses, op);
    if (!match) continue;
    for (const matched of matchedOps(match)) edits.set(matched, []);
    edits.set(op, fused(match, fresh));
  }
  return rewrite(graph, edits);
}

function matchAttention(uses: Uses, attention: Attention): AttentionMatch | undefined {
  const [append, first] = uses.touching(cached(attention.cache));
  // Later operations may attend to the same cache; an earlier one would miss the append, which moves to this attention.
  if (append?.kind !== 'kv_append' || first !== attention) return undefined;
  const query = matchHeads(uses, attention.query, attention.headSize);
  const key = matchHeads(uses, append.key, attention.headSize);
  const value = uses.soleWriter('linear', append.value);
  if (!query || !key || !value) return undefined;
  const sameInput = query.linear.input === key.linear.input && key.linear.input === value.input;
  if (!sameInput || query.rope?.rope !== key.rope?.rope || query.normTurned !== key.normTurned) return undefined;
  const gate = matchGate(uses, attention, value.input);
  return { attention, append, query, key, value, ...(gate && { gate }) };
}

/** The kernel's projection has no place for a bias or a scale of a fourth matrix. */
function matchGate(uses: Uses, attention: Attention, input: Value): AttentionMatch['gate'] {
  const [op, another] = uses.readers(attention.output);
  if (another || op?.kind !== 'head_gate' || op.input !== attention.output || op.headSize !== attention.headSize)
    return undefined;
  const linear = uses.soleWriter('linear', op.gate);
  return linear?.input === input && !linear.bias && !linear.weight.scale ? { linear, op } : undefined;
}

function matchHeads(uses: Uses, value: Value, headSize: number): RotatedHeads | undefined {
  const turned = uses.soleWriter('norm', value);
  const normTurned = turned && uses.soleWriter('rope', turned.input);
  const rope = normTurned ?? uses.soleWriter('rope', value);
  if (rope && rope.headSize !== headSize) return undefined;
  const norm = turned ?? (rope && uses.soleWriter('norm', rope.input));
  // The kernel's norms are of each head or, before the rope, of all; about 0, without a bias.
  const each = norm?.headSize === headSize || (norm?.headSize === undefined && !normTurned);
  if (norm && (!each || norm.norm.centred || norm.norm.bias)) return undefined;
  const first = normTurned ?? norm ?? rope;
  const linear = uses.soleWriter('linear', first ? first.input : value);
  return linear && { linear, ...(norm && { norm }), ...(rope && { rope }), ...(normTurned && { normTurned: true }) };
}

function matchedOps({ append, query, key, value, gate }: AttentionMatch): Op[] {
  const heads = [query, key].flatMap(({ linear, norm, rope }) => [linear, norm, rope]);
  return [...heads, value, append, gate?.linear, gate?.op].filter((op) => op !== undefined);
}

function fused({ attention, query, key, value, gate }: AttentionMatch, fresh: ReturnType<typeof freshValues>): Op[] {
  const { cache, headCount, headCountKv, headSize, scale, softCap, window, sinks, output } = attention;
  const linears = [query.linear, key.linear, value, ...(gate ? [gate.linear] : [])];
  const cols = linears.reduce((sum, linear) => sum + linear.output.cols, 0);
  const qkv = fresh(`blk.${cache.layer}.attn_qkv`, cols, output.rows);
  const attend: Attend = {
    kind: 'attend',
    cache,
    qkv,
    ...(query.norm && { queryNorm: query.norm.norm }),
    ...(key.norm && { keyNorm: key.norm.norm }),
    ...(query.normTurned && { normTurned: true }),
    ...(query.rope && { rope: query.rope.rope }),
    headCount,
    headCountKv,
    headSize,
    scale,
    ...(softCap && { softCap }),
    ...(window && { window }),
    ...(sinks && { sinks }),
    ...(gate && { gates: gate.op.gate.cols }),
    output: gate?.op.output ?? output,
  };
  return [{ kind: 'projection', input: value.input, segments: linears.map(asSegment), output: qkv }, attend];
}
