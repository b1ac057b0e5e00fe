/** What a session keeps beside the KV cache (runtime/artifact.h): State, counters, sampling parameters, page table. */
import { roundUp } from '../arithmetic.js';
import type { ProgramKind } from '../ir/programs.js';
import { kvPages } from '../kernels/attend/config.js';
import { STATE_COUNTERS, type StatePart } from '../kernels/kernel.js';

const STATE_BYTES = 16;
const COUNTERS_OFFSET = 64;
const SAMPLING_OFFSET = COUNTERS_OFFSET + 4 * STATE_COUNTERS;
/** step.h: StepHeader, Row, Tile. */
const STEP_BYTES = 16;
const ROW_BYTES = 16;
const TILE_BYTES = 16;
/** Where what depends on the model begins. */
const HISTORY_OFFSET = SAMPLING_OFFSET + 64 + 8 * 1024;

/** Bytes [start, end) of each part in the state buffer; where a model or its programs need none it is empty. */
export interface StateLayout {
  readonly parts: Readonly<Record<StatePart, { readonly start: number; readonly end: number }>>;
  readonly totalBytes: number;
}

/** What the parts that depend on a model and its programs are for. */
export interface StateSizes {
  readonly contextLength: number;
  readonly vocabSize: number;
  readonly meetingBytes: number;
  /** Programs of many rows share the parts of a step, which have room for the largest. */
  readonly programs: readonly ProgramKind[];
}

export function stateLayout({ contextLength, vocabSize, meetingBytes, programs }: StateSizes): StateLayout {
  const part = (start: number, bytes: number) => ({ start, end: start + bytes });
  const history = part(HISTORY_OFFSET, 4 * contextLength);
  const fed = part(history.end, 4 * contextLength);
  const pages = part(fed.end, 4 * kvPages(contextLength));
  const seen = part(pages.end, 4 * vocabSize);
  const meeting = part(roundUp(seen.end, 64), meetingBytes);
  const most = (count: (program: ProgramKind) => number) => Math.max(0, ...programs.map(count));
  const maxRows = most(({ rows }) => rows);
  const step = part(roundUp(meeting.end, 64), maxRows > 0 ? STEP_BYTES : 0);
  const rows = part(step.end, ROW_BYTES * maxRows);
  const tiles = part(rows.end, TILE_BYTES * maxRows);
  const output_rows = part(tiles.end, 4 * most(({ outputs }) => outputs));
  const state = part(0, STATE_BYTES);
  const counters = part(COUNTERS_OFFSET, 4 * STATE_COUNTERS);
  const ofModel = { state, counters, history, fed, pages, seen, meeting };
  const parts = { ...ofModel, step, rows, tiles, output_rows };
  return { parts, totalBytes: roundUp(output_rows.end, 256) };
}
