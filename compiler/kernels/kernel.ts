/**
 * A kernel's room: all that the compiler knows of one kernel of runtime/kernels. Passes, planning and emission ask for
 * it by the registry (index.ts) and name no kernel themselves.
 */

import type { Operation } from '../ir/operation.js';
import type { Cache, Segment, Value } from '../ir/ops.js';
import type { ProgramKind } from '../ir/programs.js';
import type { Weight } from '../model/spec.js';
import type { Target } from '../target/target.js';
import type { Tiling } from './tiling.js';

/**
 * The device allocations that arguments point into. weights belong to a model, the others to a session. Of what there is several
 * times, pages of KV cache and slots, an argument points into the first.
 */
export type Region = 'weights' | 'arena' | 'kv_cache' | 'kv_window' | 'state' | 'slots';

/** An address: bytes from a region's start. */
export interface Place {
  readonly region: Region;
  readonly offset: number;
}

/** A field of a kernel's argument struct; absent: a null pointer. */
export interface Argument {
  readonly name: string;
  readonly place: Place | undefined;
}

/** What a launch of the kernel asks for. */
export interface Launch {
  readonly blocks: number;
  readonly threads: number;
  readonly sharedBytes: number;
}

/**
 * What the regions state and slots hold, each at an offset of its own (plan/state.ts). Of a slot: state, history, fed, and
 * pages and window_pages, where its positions are in the caches. step, rows, tiles, output_rows: of the step of a program of
 * many rows (runtime/kernels/step.h).
 */
export type StatePart =
  | ('state' | 'history' | 'fed' | 'pages' | 'window_pages')
  | ('counters' | 'seen' | 'meeting' | 'step' | 'rows' | 'tiles' | 'output_rows');

/** Of the part `counters`. */
export const STATE_COUNTERS = 1024;

/** Where everything lies that a node's arguments may point to: made by plan/lower.ts for one node. */
export interface Places {
  value(name: string, value: Value | undefined): Argument;
  /** A power of two for each row of an operand. */
  scales(name: string, operand: Value): Argument;
  /** A vector of the weights. */
  vector(name: string, weight: Weight | undefined): Argument;
  /** The operation's matrices; default name "weights". */
  weights(name?: string): Argument;
  /** The largest magnitude of each of the operation's matrices, or of each of so many that each is of. */
  largest(name: string, experts?: number): Argument;
  /** The matrices of the later operation whose first bytes this one fetches. */
  prefetched(name: string): Argument;
  /** One of the node's scratch buffers; absent where it has none of this name. */
  scratch(name: string, buffer: string): Argument;
  state(name: string, part: StatePart): Argument;
  /** Of the first slot, of the cache's kind of pages. */
  pageTable(name: string, cache: Cache): Argument;
  keys(name: string, cache: Cache): Argument;
  values(name: string, cache: Cache): Argument;
}

/** Memory that a node writes beside its operation's values: a buffer of the arena, or parts of the state. */
export type Scratch =
  | { readonly region: 'arena'; readonly name: string; readonly bytes: number }
  | { readonly region: 'state'; readonly part: 'counters' };

/** Constants of one C type in a kernel's configuration struct; or a line of it as it is. */
export type Field =
  | string
  | readonly ['int' | 'int64_t' | 'bool' | 'float', Readonly<Record<string, number | boolean>>];

/** A table of f32 that a kernel's configuration reads. */
export interface Table {
  readonly name: string;
  readonly values: readonly number[];
}

interface PlacedCache extends Cache {
  readonly region: Region;
}
interface KindOfPages {
  readonly region: Region;
  readonly bytes: number;
}

/** What a kernel's configuration depends on beside its operation and the target. */
export interface Setting {
  readonly program: ProgramKind;
  readonly contextLength: number;
  readonly caches: { readonly caches: readonly PlacedCache[]; readonly pages: readonly KindOfPages[] };
  /** From a slot to the next. */
  readonly slotBytes: number;
  /** What is known of matrices that have their places. */
  readonly weights: { tilingOf(weight: Weight): Tiling; isPlain(weight: Weight): boolean };
}

/** f16 elements from a page of the cache's kind to the next. */
export function pageStride({ caches: { caches, pages } }: Pick<Setting, 'caches'>, { id }: Cache): number {
  const { region } = caches.find((cache) => cache.id === id)!;
  return pages.find((kind) => kind.region === region)!.bytes / 2;
}

export interface Kernel<Op, Config> extends Operation<Op> {
  /** Of the fused operation, each of which is one node of this kernel. */
  readonly operation: string;
  /** In runtime/kernels: the file, the kernel's template and its argument struct. */
  readonly include: string;
  readonly body: string;
  readonly args: string;
  /** What a node computes, in a line. */
  about(op: Op): string;
  /** Vectors that it reads, in the order in which they are laid out. */
  vectors(op: Op): readonly (Weight | undefined)[];
  /** The matrices that it multiplies with. */
  matrices?(op: Op): readonly Segment[];
  /** Bytes of weights that one token reads, or a step of many rows, as the file stores them. */
  readBytes(op: Op, program: ProgramKind): number;
  /** KV cache that it reads: bytes of each position, and of how many positions at most. */
  kv?(op: Op, contextLength: number): { readonly rowBytes: number; readonly positions: number };
  /**
   * Floating-point operations of products: for each row of a step, and for each position that such a row attends to. Not for
   * rows whose logits are wanted, where these are some of a step's. Absent: none.
   */
  flops?(op: Op): { readonly row?: number; readonly position?: number };
  /** By itself, without regard to its neighbours. Absent: it depends on other nodes, or on the context (plan/lower_nodes.ts). */
  configure?(op: Op, target: Target, setting: Setting): Config;
  launch(config: Config): Launch;
  /** Of all configs that the node may run with. */
  scratch(op: Op, configs: readonly Config[]): readonly Scratch[];
  /** The fields of the argument struct, in order. */
  arguments(op: Op, at: Places): readonly Argument[];
  /** The struct of defaults that its configuration starts from; absent: there is none. */
  readonly base?: string;
  /** What its configuration states; `name` is the kernel's symbol without its prefix. */
  fields(config: Config, name: string): readonly Field[];
  tables?(config: Config, name: string): readonly Table[];
  /** What planner and kernel both compute must agree: C++ conditions about the configuration struct, `name`. */
  asserts(config: Config, name: string, sharedBytes: number): readonly string[];
  /** Its blocks wait for each other, so all must be resident at once. */
  blocksMeet?(config: Config): boolean;
  /** What it computes, without how: the same for all candidates of a tuning. Absent: there is nothing to tune. */
  readonly tuned?: readonly (keyof Config & string)[];
}
