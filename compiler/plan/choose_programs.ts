/** Which programs of many rows a plan has: those that were asked for, as far as the model can have them. */
import { CompileError, UsageError } from '../../runtime/common/errors.js';
import { roundUp } from '../arithmetic.js';
import type { Graph } from '../graph/graph.js';
import { type LeftOut, MOST_ROWS, type ProgramKind, programOf } from '../ir/programs.js';
import { HEAD_ALIGNMENT } from '../kernels/append.js';
import { LONGEST_HEAD, tileRowsOf } from '../kernels/attend_rows.js';
import { MOST_COLS } from '../kernels/operand_rows.js';
import type { Target } from '../target/target.js';

export interface ProgramsAsked {
  /** Of PROGRAM_NAMES; default all on a GPU, on the host token alone, which is always there. */
  readonly programs?: readonly string[] | undefined;
  /** Of the programs of many rows, in place of the target's choice. */
  readonly rows?: readonly number[] | undefined;
}

const PROGRAM_NAMES = ['token', 'batch', 'prompt', 'all'];
const ROWS_STEP = 8;

interface Programs {
  readonly programs: readonly ProgramKind[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * Errors: UsageError for names and rows that there are not; CompileError for a program that the model cannot have, where it
 * was named. Where all were asked for it is left out, and why is said.
 */
export function programsFor(graph: Graph, asked: ProgramsAsked, target: Target): Programs {
  const programs = programsAsked(asked, target);
  const why = programs.length > 0 ? whyNotManyRows(graph) : undefined;
  if (why === undefined) return { programs, leftOut: [] };
  const named = programs.find(({ name }) => asked.programs?.includes(name));
  if (named)
    throw new CompileError(`this model has no ${named.name} program: ${why}; leave it out with --programs token`);
  return { programs: [], leftOut: programs.map(({ name, rows }) => ({ name, rows, why })) };
}

/** By rows, ascending. Errors: UsageError. */
export function programsAsked({ programs, rows }: ProgramsAsked, target: Target): ProgramKind[] {
  const names = programs ?? targetPrograms(target);
  for (const name of names)
    if (!PROGRAM_NAMES.includes(name))
      throw new UsageError(
        `there is no program ${JSON.stringify(name)}; --programs takes token, or token and others of ${PROGRAM_NAMES.join(', ')}, with commas between`,
      );
  const wants = ({ name }: ProgramKind) => names.includes(name) || names.includes('all');
  const kinds = [...new Set(rows ?? targetRows(target))].sort((a, b) => a - b).map(kindFor);
  const unwanted = rows && kinds.find((kind) => !wants(kind));
  if (unwanted)
    throw new UsageError(
      `--rows ${unwanted.rows} is of a ${unwanted.name} program, which --programs ${names.join(',')} leaves out; add ${unwanted.name} to --programs`,
    );
  return kinds.filter(wants);
}

function kindFor(rows: number): ProgramKind {
  if (!Number.isSafeInteger(rows) || rows < ROWS_STEP || rows > MOST_ROWS.prompt || rows % ROWS_STEP !== 0)
    throw new UsageError(
      `--rows ${rows}: rows are multiples of ${ROWS_STEP}, of a batch up to ${MOST_ROWS.batch}, of a prompt up to ${MOST_ROWS.prompt}`,
    );
  return programOf(rows);
}

/** Simulated, many rows are no faster than one after another, and their kernels take long to compile. */
const targetPrograms = ({ kind }: Target): string[] => [kind === 'cuda' ? 'all' : 'token'];

/**
 * Simulated programs are short, so that tests are. With 2048 rows a prompt of so many tokens takes a step, not four: on an H200 it
 * was 1.8 times as fast for qwen3moe-30b-a3b, of whose rows more choose the same expert then, and 1.4 times for llama-1b.
 */
const targetRows = ({ kind }: Target): number[] => (kind === 'host' ? [8, 128] : [8, 16, 32, 64, 512, 2048]);

/** What kernels of many rows do not have. undefined: they have all that the model needs. */
function whyNotManyRows({ ops }: Graph): string | undefined {
  for (const op of ops) {
    if (op.kind === 'attention' && tileRowsOf(op) < 1)
      return `${op.headCount / op.headCountKv} query heads share a KV head, at most ${tileRowsOf({ headCount: 1, headCountKv: 1 })} may`;
    if (op.kind === 'attention' && roundUp(op.headSize, HEAD_ALIGNMENT) > LONGEST_HEAD)
      return `heads have ${op.headSize} elements, at most ${LONGEST_HEAD} are supported for many rows`;
    if ((op.kind === 'linear' || op.kind === 'expert_linear') && op.weight.cols > MOST_COLS)
      return `${op.weight.name} has ${op.weight.cols} columns, at most ${MOST_COLS} are supported for many rows`;
  }
  return undefined;
}
