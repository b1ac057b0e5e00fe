/** Where everything lies on the device: values and scratch memory in the arena, caches, parts of the state. */
import { roundUp } from '../arithmetic.js';
import { cached, type Effects, type Resource } from '../ir/effects.js';
import type { Value } from '../ir/ops.js';
import { type ProgramKind, rowsOf } from '../ir/programs.js';
import { kernelOf } from '../kernels/index.js';
import type { Argument, Places, Region, Scratch } from '../kernels/kernel.js';
import { ACCUMULATED } from '../kernels/router.js';
import type { BufferPlan } from './buffers.js';
import type { Caches, PlannedCache } from './caches.js';
import type { Choice } from './choose.js';
import type { Interval } from './edges.js';
import type { LoweredNode } from './lowering.js';
import type { StateLayout } from './state.js';

export class DeviceMemory {
  constructor(
    private readonly choice: Choice,
    private readonly state: StateLayout,
    private readonly arena: BufferPlan,
    private readonly caches: Caches,
    private readonly program: ProgramKind,
  ) {}

  /** The bytes that an operation's effects are on. */
  intervals({ values, resources }: Effects): Interval[] {
    return [...values.map((value) => this.#value(value)), ...resources.map((resource) => this.#resource(resource))];
  }

  scratch(scratch: Scratch): Interval {
    if (scratch.region === 'state') return this.state.parts[scratch.part];
    return this.#arena(scratch.name, scratch.bytes);
  }

  /** For the arguments of one node. */
  placesOf({ op, prefetches }: LoweredNode, scratch: readonly Scratch[]): Places {
    const at = (name: string, region: Region, offset: number): Argument => ({ name, place: { region, offset } });
    const absent = (name: string): Argument => ({ name, place: undefined });
    const { weights, weightStarts } = this.choice;
    return {
      value: (name, value) => (value ? at(name, 'arena', this.#value(value).start) : absent(name)),
      scales: (name, operand) => {
        const { start } = this.#value(operand);
        return at(name, 'arena', start + operandBytes(operand, this.program).halves);
      },
      vector: (name, weight) => (weight ? at(name, 'weights', weights.vector(weight)) : absent(name)),
      weights: (name = 'weights') => at(name, 'weights', weightStarts.get(op)!),
      largest: (name, experts) => at(name, 'weights', weights.largestOf(kernelOf(op).matrices!(op), experts)),
      prefetched: (name) => (prefetches ? at(name, 'weights', weightStarts.get(prefetches)!) : absent(name)),
      scratch: (name, buffer) => {
        const found = scratch.some((one) => one.region === 'arena' && one.name === buffer);
        return found ? at(name, 'arena', this.arena.offsets.get(buffer)!) : absent(name);
      },
      state: (name, part) => {
        const { region, start, end } = this.state.parts[part];
        return end > start ? at(name, region, start) : absent(name);
      },
      pageTable: (name, cache) => {
        const { region } = this.#cache(cached(cache));
        const { start } = this.state.parts[region === 'kv_cache' ? 'pages' : 'window_pages'];
        return at(name, 'slots', start);
      },
      keys: (name, cache) => {
        const { region, offset } = this.#cache(cached(cache));
        return at(name, region, offset);
      },
      values: (name, cache) => {
        const { region, offset, bytes } = this.#cache(cached(cache));
        return at(name, region, offset + bytes / 2);
      },
    };
  }

  #value(value: Value): Interval {
    const accumulated = this.choice.accumulated.values.get(value);
    if (!accumulated) return this.#arena(value.name, valueBytes(value, this.program, this.choice));
    const start = this.arena.offsets.get(ACCUMULATED)! + accumulated.offset;
    return { region: 'arena', start, end: start + accumulated.bytes };
  }

  #resource(resource: Resource): Interval {
    const { state, fed, step, output_rows } = this.state.parts;
    if (resource === 'state') return state;
    if (resource === 'fed') return fed;
    if (resource === 'step') return { region: 'state', start: step.start, end: output_rows.end };
    const { region, offset, bytes } = this.#cache(resource);
    return { region, start: offset, end: offset + bytes };
  }

  #cache(resource: Resource): PlannedCache {
    return this.caches.caches.find((cache) => cached(cache) === resource)!;
  }

  #arena(name: string, bytes: number): Interval {
    const start = this.arena.offsets.get(name)!;
    return { region: 'arena', start, end: start + bytes };
  }
}

/** A row without columns is a list of candidates, one (value, token) for each block of the output projection. */
export function valueBytes(value: Value, program: ProgramKind, { candidates }: Choice): number {
  const { rows, cols, form } = value;
  const count = rowsOf(rows, program);
  if (form === 'f16') return 2 * count * cols;
  if (form === 'operand') return operandBytes(value, program).all;
  return count * (cols === 0 ? 8 * candidates : 4 * cols);
}

/** operand.cuh: halves of columns filled up to 128, of rows filled up to eight; then a scale a row. */
function operandBytes({ rows, cols }: Value, program: ProgramKind): { halves: number; all: number } {
  const count = rowsOf(rows, program);
  const halves = roundUp(2 * roundUp(cols, 128) * roundUp(count, 8), 256);
  return { halves, all: halves + 4 * count };
}
