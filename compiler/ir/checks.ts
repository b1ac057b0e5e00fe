/** The rules about the sizes of an operation's operands that several kinds of operations share. */

import type { ExpertsSpec, RopeSpec, Weight } from '../model/spec.js';
import type { Cache, Form, Norm, Scoring, Value } from './ops.js';

/** Called once for each rule; `detail` says what was found and what was needed. */
export type Need = (holds: boolean, detail: string) => void;

/** An operation that attends. */
interface Attends extends Partial<Scoring> {
  readonly cache: Cache;
  readonly headCount: number;
  readonly headCountKv: number;
  readonly headSize: number;
  readonly sinks?: Weight;
  readonly output: Value;
}

export class Checks {
  constructor(
    /** For a rule that only one kind of operation has. */
    readonly need: Need,
  ) {}

  equal(found: string, a: number, needed: string, b: number): void {
    this.need(a === b, `${found} is ${a}, ${needed} is ${b}`);
  }

  form(found: string, { form }: Value, needed: Form): void {
    this.need(form === needed, `${found} is ${form ?? 'f32'}, needed is ${needed}`);
  }

  /** Rows of the operands of an operation that takes and makes one for one. */
  sameRows(output: Value, ...operands: readonly (Value | undefined)[]): void {
    for (const operand of operands)
      if (operand)
        this.need(
          operand.rows === output.rows,
          `${operand.name} has a row ${kindOf(operand)}, the output ${kindOf(output)}`,
        );
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

  rope({ dimensions, base, scaling, factors }: RopeSpec, headSize: number): void {
    const holds = dimensions > 0 && dimensions % 2 === 0 && dimensions <= headSize;
    this.need(holds, `rope of ${dimensions} elements of heads of ${headSize}`);
    this.need(Number.isFinite(base) && base > 0, `rope base is ${base}`);
    this.constant('rope scale', scaling?.scale);
    this.constant('rope magnitude', scaling?.magnitude);
    this.vector(factors, dimensions / 2);
  }

  attention(op: Attends): void {
    const { cache, headCount, headCountKv, headSize, scale, softCap, window = 1, sinks, output } = op;
    this.vector(sinks, headCount);
    this.equal('output', output.cols, 'heads x head size', headCount * headSize);
    const holds = headCountKv > 0 && headCount % headCountKv === 0;
    this.need(holds, `${headCountKv} kv heads do not divide ${headCount} heads`);
    this.equal('kv heads', headCountKv, 'those of the cache', cache.heads);
    this.equal('head size', headSize, "the cache's", cache.headSize);
    this.constant('attention scale', scale);
    this.cap(softCap);
    this.need(Number.isSafeInteger(window) && window > 0, `attention sees ${window} positions`);
  }
}

const kindOf = ({ rows }: Value): string => (typeof rows === 'object' ? 'pair' : rows);
