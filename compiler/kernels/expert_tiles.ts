/** expert_tiles.cuh: pairs of rows and experts, in tiles of one expert's. */
import type { Pairs, Value } from '../ir/ops.js';
import type { ProgramKind } from '../ir/programs.js';
import type { Target } from '../target/target.js';

/** Of a value with a row for each pair. */
export function pairsIn({ name, rows }: Value): Pairs {
  if (typeof rows !== 'object') throw new Error(`${name} has a row ${rows}, not a pair`);
  return rows;
}

/**
 * The most pairs of a tile: somewhat more than an expert has where all are chosen alike, so that most experts have one tile
 * and their weights are read once.
 */
export function expertTileRows({ experts, used }: Pairs, { rows }: ProgramKind, target: Target): number {
  const wanted = 2 ** Math.ceil(Math.log2((1.25 * rows * used) / experts));
  return Math.max(8, Math.min(wanted, mostRows(target)));
}

const mostRows = ({ kind, archs }: Target): number => {
  if (kind === 'host') return 32;
  return archs.every((arch) => arch === 'sm_90a') ? 128 : 64;
};

/** Experts that a step can choose. */
export function mostExperts(value: Value, { rows }: ProgramKind): number {
  const { experts, used } = pairsIn(value);
  return Math.min(experts, rows * used);
}

/** Tiles of all experts together, at most. */
export function expertTiles(pairs: Pairs, program: ProgramKind, tileRows: number): number {
  const chosen = program.rows * pairs.used;
  return Math.floor((chosen + Math.min(pairs.experts, chosen) * (tileRows - 1)) / tileRows);
}
