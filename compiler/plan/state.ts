/**
 * What there is beside weights, activations and KV cache (runtime/artifact.h): of each slot its State, sampling parameters, fed
 * tokens and page tables; and of all of them counters, what the choice of a token needs, and the step.
 */
import { roundUp } from '../arithmetic.js';
import type { ProgramKind } from '../ir/programs.js';
import { kvPages } from '../kernels/attend/config.js';
import { STATE_COUNTERS, type StatePart } from '../kernels/kernel.js';
import type { Caches } from './caches.js';

/** step.h: StepHeader, Row, Tile. */
const STEP_BYTES = 16;
const ROW_BYTES = 16;
const TILE_BYTES = 16;
/** state.h: State; and where in a slot what depends on the model begins: after the logit biases. */
const STATE_BYTES = 16;
const HISTORY_OFFSET = 384 + 8 * 1024;

export type StateRegion = 'state' | 'slots';

/** Bytes [start, end) of a part in its region, of the slots' in the first slot; where a model or its programs need none it is empty. */
export interface StateInterval {
  readonly region: StateRegion;
  readonly start: number;
  readonly end: number;
}

export interface StateLayout {
  readonly parts: Readonly<Record<StatePart, StateInterval>>;
  readonly stateBytes: number;
  /** From a slot to the next. */
  readonly slotBytes: number;
}

/** What the parts that depend on a model and its programs are for. */
export interface StateSizes {
  readonly vocabSize: number;
  readonly meetingBytes: number;
  /** Programs of many rows share the parts of a step, which have room for the largest. */
  readonly programs: readonly ProgramKind[];
}

/** Parts one after another. */
class Parts {
  end = 0;

  constructor(private readonly region: StateRegion) {}

  next(bytes: number, alignment = 4): StateInterval {
    const start = roundUp(this.end, alignment);
    this.end = start + bytes;
    return { region: this.region, start, end: this.end };
  }
}

export interface SlotLayout {
  readonly parts: Readonly<Record<'state' | 'history' | 'fed' | 'pages' | 'window_pages', StateInterval>>;
  readonly slotBytes: number;
}

export function slotLayout(contextLength: number, { pages }: Caches): SlotLayout {
  const slot = new Parts('slots');
  const state = slot.next(STATE_BYTES);
  slot.next(HISTORY_OFFSET - STATE_BYTES);
  const history = slot.next(4 * contextLength);
  const fed = slot.next(4 * contextLength);
  const [all, window] = pages.map(({ bytes }) => slot.next(bytes > 0 ? 4 * kvPages(contextLength) : 0));
  const parts = { state, history, fed, pages: all!, window_pages: window! };
  return { parts, slotBytes: roundUp(slot.end, 256) };
}

export function stateLayout(slot: SlotLayout, { vocabSize, meetingBytes, programs }: StateSizes): StateLayout {
  const most = (count: (program: ProgramKind) => number) => Math.max(0, ...programs.map(count));
  const maxRows = most(({ rows }) => rows);
  const shared = new Parts('state');
  const counters = shared.next(4 * STATE_COUNTERS);
  const seen = shared.next(4 * vocabSize);
  const meeting = shared.next(meetingBytes, 64);
  const step = shared.next(maxRows > 0 ? STEP_BYTES : 0, 64);
  const rows = shared.next(ROW_BYTES * maxRows);
  const tiles = shared.next(TILE_BYTES * maxRows);
  const output_rows = shared.next(4 * most(({ outputs }) => outputs));
  const parts = { ...slot.parts, counters, seen, meeting, step, rows, tiles, output_rows };
  return { parts, stateBytes: roundUp(shared.end, 256), slotBytes: slot.slotBytes };
}
