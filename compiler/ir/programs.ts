/** The kinds of programs. */
import type { Pairs, Rows } from './ops.js';

/** What steps a program runs, at most: `rows` tokens, of which so many `outputs` have their logits computed. */
export interface ProgramKind {
  /**
   * token: one token of a sequence. batch: a few rows, of any sequences. prompt: many, of which few want logits. load: no
   * step, but run once when the weights are on the device.
   */
  readonly name: 'token' | 'batch' | 'prompt' | 'load';
  readonly rows: number;
  readonly outputs: number;
}

export const TOKEN: ProgramKind = { name: 'token', rows: 1, outputs: 1 };

export const LOAD: ProgramKind = { name: 'load', rows: 0, outputs: 0 };

/** The most rows of a batch, and of a prompt. */
export const MOST_ROWS = { batch: 64, prompt: 2048 } as const;
const PROMPT_OUTPUTS = 64;

/** The program of many rows for so many: a batch up to its most, beyond it a prompt. */
export const programOf = (rows: number): ProgramKind =>
  rows <= MOST_ROWS.batch
    ? { name: 'batch', rows, outputs: rows }
    : { name: 'prompt', rows, outputs: Math.min(rows, PROMPT_OUTPUTS) };

/** Its name among others: "token", "batch_8". */
export const programLabel = ({ name, rows }: Pick<ProgramKind, 'name' | 'rows'>): string =>
  rows > 1 ? `${name}_${rows}` : name;

/** At most. */
export function rowsOf(rows: Rows, program: ProgramKind): number {
  if (typeof rows === 'object') return pairsOf(rows, program);
  return rows === 'token' ? program.rows : program.outputs;
}

/** Each expert's pairs are filled up to a multiple of eight. */
function pairsOf({ experts, used }: Pairs, program: ProgramKind): number {
  const chosen = program.rows * used;
  return Math.floor((chosen + (PAIRS_STEP - 1) * Math.min(experts, chosen)) / PAIRS_STEP) * PAIRS_STEP;
}

const PAIRS_STEP = 8;

/** A program that was left out of a plan, and why. */
export interface LeftOut {
  readonly name: ProgramKind['name'];
  readonly rows: number;
  readonly why: string;
}
