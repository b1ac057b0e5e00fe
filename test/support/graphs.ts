/** Random primitive graphs: the patterns of the passes, near misses of them, and operations in any other order. */

import fc from 'fast-check';
import { type Graph, reads } from '../../compiler/graph/graph.js';
import type { Cache, Norm, PrimitiveOp, Rows, Value } from '../../compiler/ir/ops.js';
import type { RopeSpec, Weight } from '../../compiler/model/spec.js';

/** Every value but the logits has this many elements, so that any operation can read any of them. */
const SIZE = 8;
const HEAD_SIZE = 4;
const HEADS = SIZE / HEAD_SIZE;
const VOCAB = 7;
const EXPERTS = { count: 4, used: 2, weightsOver: 'all' } as const;
const ADJACENT: RopeSpec = { dimensions: 4, base: 10, pairing: 'adjacent' };
const HALF: RopeSpec = { dimensions: 2, base: 100, pairing: 'half' };

const RECIPES = [
  'linear',
  'norm',
  'head_norm',
  'rope',
  'add',
  'silu_mul',
  'activate',
  'scale',
  'soft_cap',
  'post_norm',
  'attention',
  'layer',
  'mlp',
  'experts',
  'reuse',
] as const;

/** A recipe and the choices it makes: which of the values so far it reads, which options it takes. */
interface Choice {
  readonly recipe: (typeof RECIPES)[number];
  readonly picks: readonly number[];
  readonly flags: readonly boolean[];
}

const choice: fc.Arbitrary<Choice> = fc.record({
  recipe: fc.constantFrom(...RECIPES),
  // Half of the picks are 0: the newest value, no leak, no miss.
  picks: fc.array(fc.oneof(fc.constant(0), fc.nat(5)), { minLength: 4, maxLength: 4 }),
  flags: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
});

export const primitiveGraph: fc.Arbitrary<Graph> = fc
  .tuple(fc.array(choice, { minLength: 1, maxLength: 7 }), fc.constantFrom('linear', 'sum', 'twice'))
  .map(([choices, ending]) => {
    const draft = new Draft();
    draft.embed();
    for (const { recipe, picks, flags } of choices) draft[recipe](picks, flags);
    return draft.finish(ending);
  });

class Draft {
  readonly #ops: PrimitiveOp[] = [];
  /** What later operations may read, oldest first. */
  readonly #values: Value[] = [];
  #serial = 0;
  readonly #caches: Cache[] = [];

  embed(): void {
    const output = this.#value();
    this.#ops.push({ kind: 'embed', weight: this.#weight(VOCAB), output });
    this.#values.push(output);
  }

  linear([a]: readonly number[], [bias]: readonly boolean[]): void {
    this.#values.push(this.#linear(this.#pick(a), bias));
  }

  norm([a]: readonly number[]): void {
    this.#values.push(this.#norm(this.#pick(a)));
  }

  head_norm([a]: readonly number[]): void {
    this.#values.push(this.#norm(this.#pick(a), HEAD_SIZE));
  }

  rope([a]: readonly number[], [half]: readonly boolean[]): void {
    this.#values.push(this.#rope(this.#pick(a), half ? HALF : ADJACENT));
  }

  add([a, b]: readonly number[]): void {
    this.#values.push(this.#add(this.#pick(a), this.#pick(b)));
  }

  silu_mul([a, b]: readonly number[]): void {
    this.#values.push(this.#siluMul(this.#pick(a), this.#pick(b)));
  }

  /** Half of the time of something that can take it. */
  activate([a, b = 0]: readonly number[], [fresh]: readonly boolean[]): void {
    const output = this.#value();
    this.#ops.push({
      kind: (['gelu', 'relu_sqr', 'silu', 'gelu_erf'] as const)[b % 4]!,
      input: fresh ? this.#linear(this.#pick(a)) : this.#pick(a),
      output,
    });
    this.#values.push(output);
  }

  scale([a, b]: readonly number[], [fresh]: readonly boolean[]): void {
    const input = fresh ? this.#linear(this.#pick(a)) : this.#pick(a);
    this.#values.push(this.#scaled(input, 0.5 + (b ?? 0)));
  }

  soft_cap([a, b]: readonly number[], [fresh, scaled]: readonly boolean[]): void {
    if (scaled) this.scale([a ?? 0, b ?? 0], [true]);
    const input = fresh && !scaled ? this.#linear(this.#pick(a)) : this.#pick(scaled ? 0 : a);
    const output = this.#value();
    this.#ops.push({ kind: 'soft_cap', input, cap: 2, output });
    this.#values.push(output);
  }

  /** hidden + norm(linear(hidden)). */
  post_norm([a, b]: readonly number[]): void {
    this.#values.push(this.#add(this.#norm(this.#linear(this.#pick(a))), this.#pick(b)));
  }

  /** Attention of values that no pattern prepared. */
  attention([a, b, c]: readonly number[]): void {
    this.#append(this.#pick(a), this.#pick(b));
    this.#values.push(this.#attend(this.#pick(c)));
  }

  /** norm, q/k/v, attention, output and residual; half of the time with something that keeps a pass from fusing it. */
  layer([a, stray, leak, miss]: readonly number[], [qNorm, kNorm, bias]: readonly boolean[]): void {
    const input = this.#norm(this.#pick(a));
    const project = (i: number) => this.#linear(stray === i ? this.#pick(a) : input, bias);
    const [q, k, v] = [project(1), project(2), project(3)];
    const normed = (x: Value, norm = false) => (norm ? this.#norm(x, miss === 1 ? undefined : HEAD_SIZE) : x);
    const turnQuery = (x: Value) => this.#rope(x, ADJACENT, miss === 2 ? SIZE : HEAD_SIZE);
    const turnKey = (x: Value) => this.#rope(x, miss === 3 ? HALF : ADJACENT);
    const query = stray === 4 ? normed(turnQuery(q), qNorm) : turnQuery(normed(q, qNorm));
    const key = stray === 4 ? normed(turnKey(k), kNorm) : turnKey(normed(k, kNorm));
    if (leak) this.#values.push([input, q, v, query, key][leak - 1]!);
    this.#append(key, v);
    if (miss === 4) this.reuse([a ?? 0]);
    const mixed = this.#attend(query);
    const output = stray === 5 ? this.#headGate(this.#linear(input, leak === 5), mixed) : mixed;
    if (miss === 5) this.reuse([a ?? 0]);
    this.#values.push(this.#add(this.#linear(output, bias), this.#pick(a)));
  }

  mlp([a, b, leak]: readonly number[], [bias, swap]: readonly boolean[]): void {
    const input = this.#norm(this.#pick(a));
    const gate = this.#linear(input, bias);
    const up = this.#linear(b === 4 ? this.#pick(a) : input, bias);
    if (leak) this.#values.push([input, gate, up, input, up][leak - 1]!);
    const down = this.#linear(this.#siluMul(gate, up));
    this.#values.push(swap ? this.#add(this.#pick(a), down) : this.#add(down, this.#pick(a)));
  }

  /** Router, experts and their sum, with or without a shared one; half of the time with something that keeps a pass from fusing it. */
  experts([a, b = 0, leak, miss]: readonly number[], [bias, shared, gated]: readonly boolean[]): void {
    const input = this.#norm(b < 3 ? this.#linear(this.#pick(a)) : this.#pick(a));
    const logits = this.#linear(input, bias, EXPERTS.count);
    const routing = this.#value(2 * EXPERTS.used);
    const groups = gated && { groups: { count: 2, used: 1 } };
    const weighted = shared ? { ...EXPERTS, gating: 'sigmoid' as const, scale: 1.5, ...groups } : EXPERTS;
    const selection = bias && { selection: this.#weight(1, EXPERTS.count) };
    this.#ops.push({ kind: 'route', logits, ...weighted, ...selection, output: routing });
    const up = this.#expertLinear(miss === 1 ? this.#pick(a) : input, routing);
    const product = this.#value(up.cols);
    if (miss === 5) this.#ops.push({ kind: 'silu', input: up, output: product });
    else {
      const gate = this.#expertLinear(input, routing, bias);
      this.#ops.push({ kind: 'swiglu_oai_mul', gate, up, output: product });
    }
    const down = this.#expertLinear(product, routing, bias);
    if (leak === 1) this.#values.push(this.#sumOf(down, routing));
    let output = this.#sumOf(down, routing);
    if (shared) {
      const other = this.#linear(this.#pick(a));
      const added = gated ? this.#gate(miss === 2 ? this.#pick(a) : input, other) : other;
      output = this.#add(output, added);
    }
    if (b === 3) output = this.#scaled(output);
    this.#values.push(b === 4 ? output : this.#add(output, this.#pick(a)));
  }

  /** Attends once more to the newest layer's cache, if there is one. */
  reuse([a]: readonly number[]): void {
    if (this.#caches.length > 0) this.#values.push(this.#attend(this.#pick(a)));
  }

  /** Everything that nothing reads goes into the logits: a linear's output, the sum of two, or one added to itself. */
  finish(ending: 'linear' | 'sum' | 'twice'): Graph {
    const read = new Set(this.#ops.flatMap((op) => reads(op).values));
    const unread = this.#values.filter((value) => !read.has(value));
    const last = unread.reduce((sum, value) => this.#add(sum, value));
    const head = this.#linear(last, false, VOCAB);
    const other = ending === 'sum' ? this.#linear(last, true, VOCAB) : head;
    const logits = ending === 'linear' ? head : this.#add(head, other);
    return { ops: [...this.#ops, { kind: 'select', logits }], logits };
  }

  #pick(age = 0): Value {
    return this.#values[Math.max(0, this.#values.length - 1 - age)]!;
  }

  #linear(input: Value, bias = false, rows = SIZE): Value {
    const output = this.#value(rows, rows === VOCAB ? 'output' : 'token');
    const optional = bias && { bias: this.#weight(1, rows) };
    this.#ops.push({ kind: 'linear', input, weight: this.#weight(rows), ...optional, output });
    return output;
  }

  #norm(input: Value, headSize?: number): Value {
    const output = this.#value();
    const norm: Norm = { weight: this.#weight(1, headSize ?? SIZE), epsilon: 1e-5 };
    this.#ops.push({ kind: 'norm', input, norm, ...(headSize && { headSize }), output });
    return output;
  }

  #rope(input: Value, rope: RopeSpec, headSize = HEAD_SIZE): Value {
    const output = this.#value();
    this.#ops.push({ kind: 'rope', input, headSize, rope, output });
    return output;
  }

  #add(a: Value, b: Value): Value {
    const output = this.#value(a.cols, a.rows);
    this.#ops.push({ kind: 'add', a, b, output });
    return output;
  }

  #scaled(input: Value, by = 0.5): Value {
    const output = this.#value();
    this.#ops.push({ kind: 'scale', input, by, output });
    return output;
  }

  #expertLinear(input: Value, routing: Value, bias = false): Value {
    const { count, used } = EXPERTS;
    const output = this.#value(used * SIZE);
    const weight = this.#weight(count * SIZE);
    const optional = bias && { bias: this.#weight(1, count * SIZE) };
    this.#ops.push({ kind: 'expert_linear', input, routing, count, used, weight, ...optional, output });
    return output;
  }

  #sumOf(input: Value, routing: Value): Value {
    const output = this.#value();
    this.#ops.push({ kind: 'expert_sum', input, routing, used: EXPERTS.used, output });
    return output;
  }

  #gate(from: Value, input: Value): Value {
    const output = this.#value();
    this.#ops.push({ kind: 'sigmoid_scale', gate: this.#linear(from, false, 1), input, output });
    return output;
  }

  #siluMul(gate: Value, up: Value): Value {
    const output = this.#value();
    this.#ops.push({ kind: 'silu_mul', gate, up, output });
    return output;
  }

  #append(key: Value, value: Value): void {
    this.#ops.push({ kind: 'kv_append', cache: this.#cache(), key, value });
  }

  #cache(): Cache {
    const id = this.#caches.length;
    const cache: Cache = { id, layer: id, kind: 'kv', heads: HEADS, headSize: HEAD_SIZE };
    this.#caches.push(cache);
    return cache;
  }

  /** Attends to the newest layer's cache. */
  #attend(query: Value): Value {
    const output = this.#value();
    const heads = { headCount: HEADS, headCountKv: HEADS, headSize: HEAD_SIZE, scale: 0.5 };
    this.#ops.push({ kind: 'attention', cache: this.#caches.at(-1)!, query, ...heads, output });
    return output;
  }

  #headGate(gate: Value, input: Value): Value {
    const output = this.#value();
    this.#ops.push({ kind: 'head_gate', gate, input, headSize: HEAD_SIZE, output });
    return output;
  }

  #value(cols = SIZE, rows: Rows = 'token'): Value {
    const id = this.#serial++;
    return { id, name: `v${id}`, rows, cols };
  }

  #weight(rows: number, cols = SIZE): Weight {
    return { name: `w${this.#serial++}`, type: 'F32', rows, cols, offset: 0, bytes: 4 * rows * cols };
  }
}
