/** select.cuh: the next token, from the logits and what the blocks of the last projection left. */

import { CompileError } from '../../runtime/common/errors.js';
import { effects } from '../ir/effects.js';
import type { Value } from '../ir/ops.js';
import type { Target } from '../target/target.js';
import type { Kernel } from './kernel.js';

/** Fused: select, where greedily, from what the blocks of the last projection left. */
export interface SelectBest {
  readonly kind: 'select_best';
  readonly logits: Value;
  readonly best: Value;
}

export interface SelectConfig {
  readonly kind: 'select';
  readonly threads: number;
  /** A power of two. */
  readonly blocks: number;
  readonly candidates: number;
  readonly vocabSize: number;
}

export const select: Kernel<SelectBest, SelectConfig> = {
  operation: 'select_best',
  include: 'select.cuh',
  body: 'select',
  args: 'SelectArgs',
  reads: ({ logits, best }) => effects([logits, best], 'state'),
  writes: () => effects([], 'state'),
  check: () => {},
  about: () => 'the next token; token, position and seq_len move on',
  vectors: () => [],
  readBytes: () => 0,
  launch: (config) => ({ blocks: config.blocks, threads: config.threads, sharedBytes: selectShared(config) }),
  scratch: (op) => [{ region: 'arena', name: adjustedName(op), bytes: 4 * op.logits.cols }],
  arguments: (op, at) => [
    at.value('best', op.best),
    at.value('logits', op.logits),
    at.scratch('adjusted', adjustedName(op)),
    at.state('state', 'state'),
    at.state('history', 'history'),
    at.state('fed', 'fed'),
    at.state('seen', 'seen'),
    at.state('meeting', 'meeting'),
  ],
  fields: ({ threads, blocks, candidates, vocabSize }) => [
    ['int', { threads, blocks }],
    ['int', { candidates, n_vocab: vocabSize }],
  ],
  asserts: (config, shape, sharedBytes) => [
    `select_shared_bytes<${shape}> == ${sharedBytes}`,
    ...(config.blocks > 1 ? [`sizeof(SampleMeeting) == ${meetingBytes(config)}`] : []),
  ],
  blocksMeet: ({ blocks }) => blocks > 1,
};

const adjustedName = ({ logits }: SelectBest): string => `${logits.name}.adjusted`;

/** sample.cuh: bins of 16 bytes and list entries of 8, sums of groups of threads, other numbers. */
const SAMPLE = { bins: 2048, list: 2048, groups: 32, found: 32 + 2 * 4 * 32, maxVocab: 2 ** 20 - 1 };
/** SampleMeeting: its counts, the best of each block, the list, and bins of 16 bytes for four meetings. */
const MEETING_BYTES = 16 + 8 * 64 + SAMPLE.list * 8 + 4 * SAMPLE.bins * 16;

/** As many blocks as the target allows and as have the least of tokens that is worth one. */
export function selectConfig(candidates: number, vocabSize: number, { select }: Target): SelectConfig {
  requireSampledVocabulary(vocabSize);
  let blocks = 1;
  while (2 * blocks <= select.blocks && 2 * blocks * select.minTokens <= vocabSize) blocks *= 2;
  return { kind: 'select', threads: select.threads, blocks, candidates, vocabSize };
}

/** What one can draw from. */
export function requireSampledVocabulary(vocabSize: number): void {
  if (vocabSize > SAMPLE.maxVocab)
    throw new CompileError(`the vocabulary has ${vocabSize} tokens; at most ${SAMPLE.maxVocab} are supported`);
}

export const selectShared = ({ threads }: SelectConfig): number => sampleShared(threads);

/** SampleShared. */
export const sampleShared = (threads: number): number =>
  SAMPLE.bins * 16 + SAMPLE.list * 8 + (threads + SAMPLE.groups) * 12 + SAMPLE.found;

/** SampleMeeting; one block meets nobody. */
export const meetingBytes = ({ blocks }: SelectConfig): number => (blocks > 1 ? MEETING_BYTES : 0);
