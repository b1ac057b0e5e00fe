/** Where everything lies on the device: values and scratch memory in the arena, caches, parts of the state. */
import { cached, type Effects, type Resource } from '../ir/effects.js';
import type { Value } from '../ir/ops.js';
import { type ProgramKind, rowsOf } from '../ir/programs.js';
import type { Argument, Places, Region, Scratch } from '../kernels/kernel.js';
import { GATHERED } from '../kernels/router.js';
import type { BufferPlan } from './buffers.js';
import type { PlannedCache } from './caches.js';
import type { Choice } from './choose.js';
import type { Interval } from './edges.js';
import type { LoweredNode } from './lowering.js';
import type { StateLayout } from './state.js';

export class DeviceMemory {
  constructor(
    private readonly choice: Choice,
    private readonly state: StateLayout,
    private readonly arena: BufferPlan,
    private readonly caches: readonly PlannedCache[],
    private readonly program: ProgramKind,
  ) {}

  /** The bytes that an operation's effects are on. */
  intervals({ values, resources }: Effects): Interval[] {
    return [...values.map((value) => this.#value(value)), ...resources.map((resource) => this.#resource(resource))];
  }

  scratch(scratch: Scratch): Interval {
    if (scratch.region === 'state') return { region: 'state', ...this.state.parts[scratch.part] };
    return this.#arena(scratch.name, scratch.bytes);
  }

  /** For the arguments of one node. */
  placesOf({ op, prefetches }: LoweredNode, scratch: readonly Scratch[]): Places {
    const at = (name: string, region: Region, offset: number): Argument => ({ name, place: { region, offset } });
    const absent = (name: string): Argument => ({ name, place: undefined });
    const { weights, weightStarts } = this.choice;
    return {
      value: (name, value) => (value ? at(name, 'arena', this.#value(value).start) : absent(name)),
      vector: (name, weight) => (weight ? at(name, 'weights', weights.vector(weight)) : absent(name)),
      weights: () => at('weights', 'weights', weightStarts.get(op)!),
      prefetched: (name) => (prefetches ? at(name, 'weights', weightStarts.get(prefetches)!) : absent(name)),
      scratch: (name, buffer) => {
        const found = scratch.some((one) => one.region === 'arena' && one.name === buffer);
        return found ? at(name, 'arena', this.arena.offsets.get(buffer)!) : absent(name);
      },
      state: (name, part) => {
        const { start, end } = this.state.parts[part];
        return end > start ? at(name, 'state', start) : absent(name);
      },
      keys: (name, cache) => at(name, 'kv_cache', this.#cache(cached(cache)).offset),
      values: (name, cache) => {
        const { offset, bytes } = this.#cache(cached(cache));
        return at(name, 'kv_cache', offset + bytes / 2);
      },
    };
  }

  #value(value: Value): Interval {
    const gathered = this.choice.gathered.values.get(value);
    if (!gathered) return this.#arena(value.name, valueBytes(value, this.program, this.choice));
    const start = this.arena.offsets.get(GATHERED)! + gathered.offset;
    return { region: 'arena', start, end: start + gathered.bytes };
  }

  #resource(resource: Resource): Interval {
    if (resource === 'state') return { region: 'state', ...this.state.parts.state };
    const { offset, bytes } = this.#cache(resource);
    return { region: 'kv_cache', start: offset, end: offset + bytes };
  }

  #cache(resource: Resource): PlannedCache {
    return this.caches.find((cache) => cached(cache) === resource)!;
  }

  #arena(name: string, bytes: number): Interval {
    const start = this.arena.offsets.get(name)!;
    return { region: 'arena', start, end: start + bytes };
  }
}

/** A row without columns is a list of candidates, one (value, token) for each block of the output projection. */
export function valueBytes({ rows, cols }: Value, program: ProgramKind, { candidates }: Choice): number {
  return rowsOf(rows, program) * (cols === 0 ? 8 * candidates : 4 * cols);
}
