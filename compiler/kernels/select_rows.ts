/** select_rows.cuh: the next token of the slot of each output's row, from the logits. */
import { roundUp } from '../arithmetic.js';
import { effects } from '../ir/effects.js';
import type { Value } from '../ir/ops.js';
import { rowsOf } from '../ir/programs.js';
import type { Kernel } from './kernel.js';
import { requireSampledVocabulary, sampleShared } from './select.js';

/** Fused, of many rows: select of each output. */
export interface SelectRows {
  readonly kind: 'select_rows';
  readonly logits: Value;
}

export interface SelectRowsConfig {
  readonly kind: 'select_rows';
  readonly threads: number;
  readonly outputs: number;
  /** Of an output. */
  readonly blocks: number;
  readonly vocabSize: number;
  readonly slotBytes: number;
}

/** Of the target's least of tokens that is worth a block where blocks wait for each other; here none does. */
const BLOCK_TOKENS = 4;

export const selectRows: Kernel<SelectRows, SelectRowsConfig> = {
  operation: 'select_rows',
  include: 'select_rows.cuh',
  body: 'select_rows',
  args: 'SelectRowsArgs',
  reads: ({ logits }) => effects([logits], 'step', 'state', 'fed'),
  writes: () => effects([], 'state'),
  check: () => {},
  about: () => "the next token of each output's slot; its token, position and seq_len move on",
  vectors: () => [],
  readBytes: () => 0,
  configure: (op, { select }, { program, slotBytes }) => {
    const vocabSize = op.logits.cols;
    requireSampledVocabulary(vocabSize);
    const blocks = Math.ceil(vocabSize / (BLOCK_TOKENS * select.minTokens));
    const outputs = rowsOf(op.logits.rows, program);
    return { kind: 'select_rows', threads: select.threads, outputs, blocks, vocabSize, slotBytes };
  },
  launch: (config) => ({
    blocks: config.outputs * config.blocks,
    threads: config.threads,
    sharedBytes: selectRowsShared(config),
  }),
  scratch: (op, [config]) => [
    { region: 'arena', name: scratchName(op, 'adjusted'), bytes: 4 * config!.outputs * config!.vocabSize },
    { region: 'arena', name: scratchName(op, 'best'), bytes: 8 * config!.outputs * config!.blocks },
    { region: 'state', part: 'counters' },
  ],
  arguments: (op, at) => [
    at.state('step', 'step'),
    at.state('rows', 'rows'),
    at.state('output_rows', 'output_rows'),
    at.state('slots', 'state'),
    at.state('fed', 'fed'),
    at.value('logits', op.logits),
    at.scratch('adjusted', scratchName(op, 'adjusted')),
    at.scratch('best', scratchName(op, 'best')),
    at.state('counters', 'counters'),
  ],
  fields: ({ threads, blocks, vocabSize, slotBytes }) => [
    ['int', { threads, blocks }],
    ['int', { n_vocab: vocabSize, slot_bytes: slotBytes }],
  ],
  asserts: (_config, shape, sharedBytes) => [`SelectRowsShape<${shape}>::shared_bytes == ${sharedBytes}`],
};

const scratchName = ({ logits }: SelectRows, what: string): string => `${logits.name}.${what}`;

/** SelectRowsShape::shared_bytes. */
function selectRowsShared({ threads, blocks, vocabSize }: SelectRowsConfig): number {
  const slice = 4 * Math.ceil(Math.ceil(vocabSize / 4) / blocks);
  return roundUp(Math.max(4 * slice, sampleShared(threads)), 8) + 16;
}
