/** Where everything lies on the device: values and scratch memory in the arena, layers in the KV cache, parts of the state. */
import { type Effects, kvCache, type Resource } from '../ir/effects.js';
import type { Value } from '../ir/ops.js';
import type { Places, PlannedArgument, Region, Scratch } from '../kernels/kernel.js';
import { GATHERED } from '../kernels/router.js';
import type { Weight } from '../model/spec.js';
import type { BufferPlan } from './buffers.js';
import type { Choice } from './choose.js';
import type { Interval } from './edges.js';
import type { LoweredNode } from './lowering.js';
import type { StateLayout } from './state.js';

export class DeviceMemory {
  constructor(
    private readonly choice: Choice,
    private readonly state: StateLayout,
    private readonly arena: BufferPlan,
    /** Bytes of a layer's keys; its values are as many, after them. */
    private readonly kvLayerBytes: number,
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
    const none = (name: string): PlannedArgument => ({ name, region: null, offset: 0 });
    const at = (name: string, region: Region, offset: number): PlannedArgument => ({ name, region, offset });
    const { weights, weightStarts } = this.choice;
    return {
      value: (name, value) => (value ? at(name, 'arena', this.#value(value).start) : none(name)),
      vector: (name, weight: Weight | undefined) => (weight ? at(name, 'weights', weights.vector(weight)) : none(name)),
      weights: () => at('weights', 'weights', weightStarts.get(op)!),
      ahead: (name) => (prefetches ? at(name, 'weights', weightStarts.get(prefetches)!) : none(name)),
      scratch: (name, buffer) => {
        const found = scratch.some((one) => one.region === 'arena' && one.name === buffer);
        return found ? at(name, 'arena', this.arena.offsets.get(buffer)!) : none(name);
      },
      state: (name, part) => {
        const { start, end } = this.state.parts[part];
        return end > start ? at(name, 'state', start) : none(name);
      },
      kv: (name, layer) => {
        const { start } = this.#resource(kvCache(layer));
        return at(name, 'kv_cache', name === 'keys' ? start : start + this.kvLayerBytes);
      },
    };
  }

  #value(value: Value): Interval {
    const gathered = this.choice.gathered.values.get(value);
    if (!gathered) return this.#arena(value.name, valueBytes(value, this.choice));
    const start = this.arena.offsets.get(GATHERED)! + gathered.offset;
    return { region: 'arena', start, end: start + gathered.bytes };
  }

  #resource(resource: Resource): Interval {
    if (resource === 'state') return { region: 'state', ...this.state.parts.state };
    const layer = Number(resource.slice('kv.'.length));
    const bytes = 2 * this.kvLayerBytes;
    return { region: 'kv_cache', start: layer * bytes, end: (layer + 1) * bytes };
  }

  #arena(name: string, bytes: number): Interval {
    const start = this.arena.offsets.get(name)!;
    return { region: 'arena', start, end: start + bytes };
  }
}

/** A value of size 0 is the candidates' list, one (value, row) for each block of the output projection. */
export function valueBytes({ size }: Value, { candidates }: Choice): number {
  return size === 0 ? 8 * candidates : 4 * size;
}
