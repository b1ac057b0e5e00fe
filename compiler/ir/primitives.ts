/** The primitive operations: what each reads and writes, and its rules. */

import { ALONE, type Alone, GATED } from '../model/activations.js';
import type { Checks } from './checks.js';
import { cached, type Effects, effects } from './effects.js';
import type { Operation } from './operation.js';
import type { Activate, GateMul, PrimitiveOp, Value } from './ops.js';

/** A function of one value. */
const unary = <Op extends { readonly input: Value; readonly output: Value }>(
  check: Operation<Op>['check'] = () => {},
): Operation<Op> => ({
  reads: ({ input }) => effects([input]),
  writes: output,
  check: (op, checks) => {
    checks.equal('output', op.output.cols, 'input', op.input.cols);
    check(op, checks);
  },
});

const activate = unary<Activate>();
const activates = Object.fromEntries(ALONE.map((kind) => [kind, activate])) as Readonly<
  Record<Alone, Operation<Activate>>
>;

/** A function of a gate and what it gates. */
const gateMul: Operation<GateMul> = {
  reads: ({ gate, up }) => effects([gate, up]),
  writes: output,
  check: (op, checks) => {
    checks.equal('up', op.up.cols, 'gate', op.gate.cols);
    checks.equal('output', op.output.cols, 'gate', op.gate.cols);
  },
};

const gateMuls = Object.fromEntries(GATED.map((name) => [`${name}_mul`, gateMul])) as Readonly<
  Record<GateMul['kind'], Operation<GateMul>>
>;

export const PRIMITIVES: { readonly [K in PrimitiveOp['kind']]: Operation<Extract<PrimitiveOp, { kind: K }>> } = {
  embed: {
    reads: () => effects([], 'state'),
    writes: output,
    check: (op, checks) => {
      checks.equal('output', op.output.cols, 'weight cols', op.weight.cols);
      checks.constant('scale', op.scale);
    },
  },
  norm: unary((op, checks) => {
    checks.heads('input', op.input.cols, op.headSize ?? op.input.cols);
    checks.norm(op.norm, op.headSize ?? op.input.cols);
  }),
  linear: {
    reads: ({ input }) => effects([input]),
    writes: output,
    check: (op, checks) => {
      checks.equal('input', op.input.cols, `${op.weight.name} cols`, op.weight.cols);
      checks.equal('output', op.output.cols, `${op.weight.name} rows`, op.weight.rows);
      checks.vector(op.bias, op.weight.rows);
      checks.vector(op.weight.scale, 1);
    },
  },
  rope: {
    ...unary((op, checks) => {
      checks.heads('input', op.input.cols, op.headSize);
      checks.rope(op.rope, op.headSize);
    }),
    reads: ({ input }) => effects([input], 'state'),
  },
  kv_append: {
    reads: ({ key, value }) => effects([key, value], 'state'),
    writes: ({ cache }) => effects([], cached(cache)),
    check: ({ cache, key, value }, checks) => {
      checks.equal('key', key.cols, 'a row of the cache', cache.heads * cache.headSize);
      checks.equal('value', value.cols, 'key', key.cols);
    },
  },
  attention: {
    reads: ({ query, cache }) => effects([query], 'state', cached(cache)),
    writes: output,
    check: (op, checks) => {
      checks.equal('query', op.query.cols, 'heads x head size', op.headCount * op.headSize);
      checks.attention(op);
    },
  },
  head_gate: {
    ...unary((op, checks) => {
      checks.heads('input', op.input.cols, op.headSize);
      checks.gates(op.gate.cols, op.input.cols, op.headSize);
    }),
    reads: ({ gate, input }) => effects([gate, input]),
  },
  add: {
    reads: ({ a, b }) => effects([a, b]),
    writes: output,
    check: (op, checks) => {
      checks.equal('b', op.b.cols, 'a', op.a.cols);
      checks.equal('output', op.output.cols, 'a', op.a.cols);
    },
  },
  ...gateMuls,
  route: {
    reads: ({ logits }) => effects([logits]),
    writes: output,
    check: (op, checks) => {
      checks.experts(op);
      checks.equal('logits', op.logits.cols, 'experts', op.count);
      checks.vector(op.selection, op.count);
      checks.equal('output', op.output.cols, '2 x experts used', 2 * op.used);
    },
  },
  expert_linear: {
    reads: ({ input, routing }) => effects([input, routing]),
    writes: output,
    check: (op, checks) => {
      const rows = op.weight.rows / op.count;
      checks.expertInput(op.input.cols, op.weight.cols, op.used);
      checkRouting(op, checks);
      checks.equal('output', op.output.cols, `experts used x ${op.weight.name} rows of one`, op.used * rows);
      checks.vector(op.bias, op.weight.rows);
      checks.vector(op.weight.scale, op.count);
    },
  },
  expert_sum: {
    reads: ({ input, routing }) => effects([input, routing]),
    writes: output,
    check: (op, checks) => {
      checkRouting(op, checks);
      checks.equal('input', op.input.cols, 'experts used x output', op.used * op.output.cols);
    },
  },
  sigmoid_scale: {
    ...unary((op, checks) => checks.equal('gate', op.gate.cols, 'what it must be', 1)),
    reads: ({ gate, input }) => effects([gate, input]),
  },
  ...activates,
  scale: unary((op, checks) => checks.constant('scale', op.by)),
  soft_cap: unary((op, checks) => checks.cap(op.cap)),
  select: {
    reads: ({ logits }) => effects([logits], 'state'),
    writes: () => effects([], 'state'),
    check: () => {},
  },
};

function output(op: { readonly output: Value }): Effects {
  return effects([op.output]);
}

function checkRouting({ routing, used }: { routing: Value; used: number }, checks: Checks): void {
  checks.equal('routing', routing.cols, '2 x experts used', 2 * used);
}
