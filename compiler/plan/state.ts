/** What a session keeps beside the KV cache (runtime/artifact.h): State, counters, sampling parameters, page table. */
import { roundUp } from '../arithmetic.js';
import { kvPages } from '../kernels/attend/config.js';
import type { StatePart } from '../kernels/kernel.js';

const STATE_BYTES = 16;
const COUNTERS_OFFSET = 64;
export const STATE_COUNTERS = 1024;
const SAMPLING_OFFSET = COUNTERS_OFFSET + 4 * STATE_COUNTERS;
/** Where what depends on the model begins. */
const HISTORY_OFFSET = SAMPLING_OFFSET + 64 + 8 * 1024;

/** Bytes [start, end) of each part in the state buffer; what the blocks of the last node meet in may be empty. */
export interface StateLayout {
  readonly parts: Readonly<Record<StatePart, { readonly start: number; readonly end: number }>>;
  readonly totalBytes: number;
}

export function stateLayout(contextLength: number, vocabSize: number, meetingBytes: number): StateLayout {
  const part = (start: number, bytes: number) => ({ start, end: start + bytes });
  const history = part(HISTORY_OFFSET, 4 * contextLength);
  const fed = part(history.end, 4 * contextLength);
  const pages = part(fed.end, 4 * kvPages(contextLength));
  const seen = part(pages.end, 4 * vocabSize);
  const meeting = part(roundUp(seen.end, 64), meetingBytes);
  const state = part(0, STATE_BYTES);
  const counters = part(COUNTERS_OFFSET, 4 * STATE_COUNTERS);
  return { parts: { state, counters, history, fed, pages, seen, meeting }, totalBytes: roundUp(meeting.end, 256) };
}
