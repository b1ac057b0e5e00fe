/** The rules about the sizes of one operation's operands; verify.ts says what breaks when they do not hold. */
import type { ExpertsSpec, RopeSpec, Weight } from '../model/spec.js';
import type {
  Activate,
  Attend,
  Attention,
  Experts,
  GateMul,
  InputSum,
  Norm,
  Op,
  Projection,
  RouterShare,
  Segment,
  Value,
} from './ops.js';

/** Called once for each rule; `detail` says what was found and what was needed. */
type Need = (holds: boolean, detail: string) => void;

export function checkShapes(op: Op, need: Need): void {
  const check = SHAPES[op.kind] as (op: Op, checks: Checks) => void;
  check(op, new Checks(need));
}

const SHAPES: { [K in Op['kind']]: (op: Extract<Op, { kind: K }>, checks: Checks) => void } = {
  embed: (op, checks) => {
    checks.equal('output', op.output.size, 'weight cols', op.weight.cols);
    checks.constant('scale', op.scale);
  },
  norm: (op, checks) => {
    checks.equal('output', op.output.size, 'input', op.input.size);
    checks.heads('input', op.input.size, op.headSize ?? op.input.size);
    checks.norm(op.norm, op.headSize ?? op.input.size);
  },
  linear: (op, checks) => {
    checks.equal('input', op.input.size, `${op.weight.name} cols`, op.weight.cols);
    checks.equal('output', op.output.size, `${op.weight.name} rows`, op.weight.rows);
    checks.vector(op.bias, op.weight.rows);
    checks.vector(op.weight.scale, 1);
  },
  rope: (op, checks) => {
    checks.equal('output', op.output.size, 'input', op.input.size);
    checks.heads('input', op.input.size, op.headSize);
    checks.rope(op.rope, op.headSize);
  },
  kv_append: (op, checks) => checks.equal('value', op.value.size, 'key', op.key.size),
  attention: (op, checks) => {
    checks.equal('query', op.query.size, 'heads x head size', op.headCount * op.headSize);
    checks.attention(op);
  },
  head_gate: (op, checks) => {
    checks.equal('output', op.output.size, 'input', op.input.size);
    checks.heads('input', op.input.size, op.headSize);
    checks.gates(op.gate.size, op.input.size, op.headSize);
  },
  add: (op, checks) => {
    checks.equal('b', op.b.size, 'a', op.a.size);
    checks.equal('output', op.output.size, 'a', op.a.size);
  },
  silu_mul: checkGate,
  gelu_mul: checkGate,
  swiglu_oai_mul: checkGate,
  route: (op, checks) => {
    checks.experts(op);
    checks.equal('logits', op.logits.size, 'experts', op.count);
    checks.vector(op.selection, op.count);
    checks.equal('output', op.output.size, '2 x experts used', 2 * op.used);
  },
  expert_linear: (op, checks) => {
    const rows = op.weight.rows / op.count;
    checks.expertInput(op.input.size, op.weight.cols, op.used);
    checks.equal('routing', op.routing.size, '2 x experts used', 2 * op.used);
    checks.equal('output', op.output.size, `experts used x ${op.weight.name} rows of one`, op.used * rows);
    checks.vector(op.bias, op.weight.rows);
    checks.vector(op.weight.scale, op.count);
  },
  expert_sum: (op, checks) => {
    checks.equal('routing', op.routing.size, '2 x experts used', 2 * op.used);
    checks.equal('input', op.input.size, 'experts used x output', op.used * op.output.size);
  },
  sigmoid_scale: (op, checks) => {
    checks.equal('gate', op.gate.size, 'what it must be', 1);
    checks.equal('output', op.output.size, 'input', op.input.size);
  },
  silu: checkActivate,
  gelu: checkActivate,
  gelu_erf: checkActivate,
  relu_sqr: checkActivate,
  scale: (op, checks) => {
    checks.equal('output', op.output.size, 'input', op.input.size);
    checks.constant('scale', op.by);
  },
  soft_cap: (op, checks) => {
    checks.equal('output', op.output.size, 'input', op.input.size);
    checks.cap(op.cap);
  },
  select: () => {},
  projection: (op, checks) => {
    for (const segment of op.segments) checks.segment(segment, op);
    if (op.inputSum) checks.inputSum(op.inputSum, op);
    if (op.norm) checks.norm(op.norm, op.input.size);
    const rows = op.segments.reduce((sum, { weights }) => sum + weights[0]!.rows, 0);
    checks.equal('output', op.output.size, 'rows of the segments', rows);
    checks.constant('scale', op.scale);
    checks.cap(op.softCap);
    if (op.residual) checks.equal('residual', op.residual.size, 'output', op.output.size);
    if (op.router) checks.router(op.router, op.output.size);
  },
  norm_add: (op, checks) => {
    checks.equal('output', op.output.size, 'input', op.input.size);
    checks.norm(op.norm, op.input.size);
    if (op.residual) checks.equal('residual', op.residual.size, 'output', op.output.size);
  },
  attend: (op, checks) => {
    const rows = (op.headCount + 2 * op.headCountKv) * op.headSize + (op.gates ?? 0);
    checks.equal('qkv', op.qkv.size, '(heads + 2 x kv heads) x head size + gates', rows);
    if (op.gates) checks.gates(op.gates, op.output.size, op.headSize);
    if (op.queryNorm) checks.headNorm(op.queryNorm, op.headSize, op.headCount);
    if (op.keyNorm) checks.headNorm(op.keyNorm, op.headSize, op.headCountKv);
    if (op.rope) checks.rope(op.rope, op.headSize);
    checks.attention(op);
  },
  experts: checkExperts,
  select_best: () => {},
};

function checkExperts(op: Experts, checks: Checks): void {
  const { experts, segment, sum, input, shared, residual } = op;
  checks.experts(experts);
  checks.vector(op.selection, experts.count);
  if (op.gathered) checks.gathered(op.gathered, op);
  const gated = op.gated ? 1 : 0;
  checks.logits(op.logits.size, experts.count, sum === undefined, gated);
  const weight = segment.weights[0]!;
  checks.equal('weights', segment.weights.length, 'what the activation takes', op.activation?.endsWith('_mul') ? 2 : 1);
  checks.equal('biases', segment.biases.length, 'weights', segment.weights.length);
  for (const [i, { name, rows, cols, scale }] of segment.weights.entries()) {
    checks.equal(`${name} rows`, rows, 'rows of its segment', weight.rows);
    checks.equal(`${name} cols`, cols, 'cols of its segment', weight.cols);
    checks.vector(segment.biases[i], rows);
    checks.vector(scale, experts.count);
  }
  checks.equal('input', input.size, 'cols of the experts', weight.cols * (sum ? experts.used : 1));
  checks.equal('output', op.output.size, 'their rows', (weight.rows / experts.count) * (sum ? 1 : experts.used));
  if (op.norm) checks.norm(op.norm, input.size);
  checks.together(sum !== undefined, shared, residual, op.gated);
  for (const added of [shared, residual])
    if (added) checks.equal('what is added', added.size, 'output', op.output.size);
  checks.constant('scale', sum?.scale);
}

function checkActivate({ input, output }: Activate, checks: Checks): void {
  checks.equal('output', output.size, 'input', input.size);
}

function checkGate(op: GateMul, checks: Checks): void {
  checks.equal('up', op.up.size, 'gate', op.gate.size);
  checks.equal('output', op.output.size, 'gate', op.gate.size);
}

class Checks {
  constructor(private readonly need: Need) {}

  equal(found: string, a: number, needed: string, b: number): void {
    this.need(a === b, `${found} is ${a}, ${needed} is ${b}`);
  }

  heads(found: string, size: number, headSize: number): void {
    const holds = headSize > 0 && size % headSize === 0;
    this.need(holds, `${found} is ${size}, no multiple of the head size ${headSize}`);
  }

  gates(size: number, elements: number, headSize: number): void {
    const holds = size === elements || size === elements / headSize;
    this.need(holds, `${size} gates for ${elements} elements in heads of ${headSize}`);
  }

  vector(weight: Weight | undefined, size: number): void {
    if (!weight) return;
    const holds = weight.rows === 1 && weight.cols === size;
    this.need(holds, `${weight.name} is ${weight.rows} x ${weight.cols}, needed is 1 x ${size}`);
  }

  experts({ count, used }: ExpertsSpec): void {
    const holds = Number.isSafeInteger(used) && used > 0 && used <= count;
    this.need(holds, `${used} of ${count} experts are used`);
  }

  /** Without a sum the last logit, a gate's, may be there for another operation. */
  logits(size: number, count: number, mayBeMore: boolean, gated: number): void {
    const holds = size === count + gated || (mayBeMore && size === count + 1);
    this.need(holds, `logits are ${size}, experts are ${count}${gated ? ' and a gate' : ''}`);
  }

  /** What is added is added to a sum, and a gate is that of a shared output. */
  together(sum: boolean, shared: Value | undefined, residual: Value | undefined, gated: true | undefined): void {
    this.need(sum || !(shared || residual), 'something is added to experts that are not summed');
    this.need(!gated || shared !== undefined, 'a gate without a shared output');
  }

  expertInput(size: number, cols: number, used: number): void {
    this.need(size === cols || size === cols * used, `input is ${size}, cols are ${cols}, experts used ${used}`);
  }

  constant(name: string, value = 1): void {
    this.need(Number.isFinite(value), `${name} is ${value}`);
  }

  cap(cap = 1): void {
    this.need(Number.isFinite(cap) && cap > 0, `soft cap is ${cap}`);
  }

  norm({ weight, bias, epsilon }: Norm, size: number): void {
    this.vector(weight, size);
    this.vector(bias, size);
    this.need(Number.isFinite(epsilon) && epsilon >= 0, `epsilon is ${epsilon}`);
  }

  inputSum({ norm, residual, output = residual }: InputSum, { input, norm: own }: Projection): void {
    this.norm(norm, input.size);
    this.need(!norm.centred && !norm.bias && !own?.centred, 'a sum of the input beside a norm about the mean');
    this.equal('what is added to the input', residual.size, 'input', input.size);
    this.equal('the sum', output.size, 'input', input.size);
  }

  router({ norm, weight, logits }: RouterShare, size: number): void {
    this.norm(norm, size);
    this.need(!norm.centred && !norm.bias, "a router's share of a norm about the mean");
    this.equal(`${weight.name} cols`, weight.cols, 'output', size);
    this.equal('logits', logits.size, `${weight.name} rows`, weight.rows);
  }

  /** Which are the largest must not depend on what they are to be divided by. */
  gathered(norm: Norm, { gated, selection, experts: { groups } }: Experts): void {
    this.norm(norm, norm.weight.cols);
    this.need(!gated && !selection && !groups, 'gathered logits of which more is asked than which are the largest');
  }

  headNorm(norm: Norm, headSize: number, heads: number): void {
    this.norm(norm, norm.weight.cols === headSize ? headSize : headSize * heads);
  }

  rope({ dimensions, base, scaling, factors }: RopeSpec, headSize: number): void {
    const holds = dimensions > 0 && dimensions % 2 === 0 && dimensions <= headSize;
    this.need(holds, `rope turns ${dimensions} elements of heads of ${headSize}`);
    this.need(Number.isFinite(base) && base > 0, `rope base is ${base}`);
    this.constant('rope scale', scaling?.scale);
    this.constant('rope magnitude', scaling?.magnitude);
    this.vector(factors, dimensions / 2);
  }

  attention(op: Attention | Attend): void {
    const { headCount, headCountKv, headSize, scale, softCap, window = 1, sinks, output } = op;
    this.vector(sinks, headCount);
    this.equal('output', output.size, 'heads x head size', headCount * headSize);
    const holds = headCountKv > 0 && headCount % headCountKv === 0;
    this.need(holds, `${headCountKv} kv heads do not divide ${headCount} heads`);
    this.constant('attention scale', scale);
    this.cap(softCap);
    this.need(Number.isSafeInteger(window) && window > 0, `attention sees ${window} positions`);
  }

  segment({ weights, biases }: Segment, { activation, input }: Projection): void {
    this.equal(
      'weights of a segment',
      weights.length,
      'what the activation takes',
      activation?.endsWith('_mul') ? 2 : 1,
    );
    this.equal('biases of a segment', biases.length, 'its weights', weights.length);
    for (const [i, weight] of weights.entries()) {
      this.equal('input', input.size, `${weight.name} cols`, weight.cols);
      this.equal(`${weight.name} rows`, weight.rows, 'rows of its segment', weights[0]!.rows);
      this.vector(biases[i], weight.rows);
      this.vector(weight.scale, 1);
    }
  }
}
