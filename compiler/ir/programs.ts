/** The kinds of programs. */
import type { Rows } from './ops.js';

/** What steps a program runs, at most: `rows` tokens, of which so many `outputs` have their logits computed. */
export interface ProgramKind {
  readonly name: 'token';
  readonly rows: number;
  readonly outputs: number;
}

/** A token of a sequence. */
export const TOKEN: ProgramKind = { name: 'token', rows: 1, outputs: 1 };

export const rowsOf = (rows: Rows, program: ProgramKind): number => (rows === 'token' ? program.rows : program.outputs);
