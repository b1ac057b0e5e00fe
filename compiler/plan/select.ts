/** The kernel that chooses the token: its shape, and what its blocks tell each other. The twin of runtime/kernels/select.cuh. */
import { CompileError } from '../errors.js';
import type { Target } from './target.js';

/** select.cuh */
export interface SelectConfig {
  readonly kind: 'select';
  readonly threads: number;
  /** A power of two. */
  readonly blocks: number;
  readonly candidates: number;
  readonly vocabSize: number;
}

/** sample.cuh: bins of 16 bytes and list entries of 8, sums of groups of threads, other numbers. */
const SAMPLE = { bins: 2048, list: 2048, groups: 32, found: 32 + 2 * 4 * 32, maxVocab: 2 ** 20 - 1 };
/** SampleMeeting: its counts, the best of each block, the list, and bins of 16 bytes for four meetings. */
const MEETING_BYTES = 16 + 8 * 64 + SAMPLE.list * 8 + 4 * SAMPLE.bins * 16;

/** As many blocks as the target allows and as have the least of tokens that is worth one. */
export function selectConfig(candidates: number, vocabSize: number, { select }: Target): SelectConfig {
  if (vocabSize > SAMPLE.maxVocab)
    throw new CompileError(`the vocabulary has ${vocabSize} tokens; at most ${SAMPLE.maxVocab} are supported`);
  let blocks = 1;
  while (2 * blocks <= select.blocks && 2 * blocks * select.minTokens <= vocabSize) blocks *= 2;
  return { kind: 'select', threads: select.threads, blocks, candidates, vocabSize };
}

/** SampleShared. */
export const selectShared = ({ threads }: SelectConfig): number =>
  SAMPLE.bins * 16 + SAMPLE.list * 8 + (threads + SAMPLE.groups) * 12 + SAMPLE.found;

/** SampleMeeting; one block meets nobody. */
export const meetingBytes = ({ blocks }: SelectConfig): number => (blocks > 1 ? MEETING_BYTES : 0);
