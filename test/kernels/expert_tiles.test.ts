/** Room for pairs of rows and experts, whatever rows choose. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { programOf, rowsOf } from '../../compiler/ir/programs.js';
import { expertTileRows, expertTiles } from '../../compiler/kernels/expert_tiles.js';
import { cudaTarget, hostTarget } from '../../compiler/target/target.js';

const step = fc
  .record({ experts: fc.integer({ min: 1, max: 256 }), eights: fc.integer({ min: 1, max: 12 }), seed: fc.nat() })
  .chain(({ experts, ...rest }) =>
    fc.record({
      ...{ experts: fc.constant(experts), used: fc.integer({ min: 1, max: Math.min(32, experts) }) },
      ...{ eights: fc.constant(rest.eights), seed: fc.constant(rest.seed), favours: fc.boolean() },
    }),
  );

it('is there for the pairs of each expert, filled up to eight, and for the list of their tiles', () => {
  const property = fc.property(step, ({ experts, used, eights, seed, favours }) => {
    const program = programOf(8 * eights);
    const counts = Array.from({ length: experts }, () => 0);
    // All rows choose the same experts, or each the next ones.
    for (let row = 0; row < program.rows; row++)
      for (let i = 0; i < used; i++) counts[(seed + i + (favours ? 0 : row * used)) % experts]!++;
    const pairs = rowsOf({ experts, used }, program);
    const filled = counts.reduce((sum, count) => sum + Math.ceil(count / 8) * 8, 0);
    expect(filled).toBeLessThanOrEqual(pairs);
    expect(pairs % 8).toBe(0);
    for (const target of [hostTarget(), cudaTarget(['sm_90a']), cudaTarget(['sm_80'])]) {
      const tileRows = expertTileRows({ experts, used }, program, target);
      const tiles = counts.reduce((sum, count) => sum + Math.ceil(count / tileRows), 0);
      expect(tiles).toBeLessThanOrEqual(expertTiles({ experts, used }, program, tileRows));
      // A header and the tiles, of 16 bytes, in four bytes a pair.
      expect(16 + 16 * expertTiles({ experts, used }, program, tileRows)).toBeLessThanOrEqual(4 * pairs);
    }
  });
  fc.assert(property, { numRuns: 300 });
});

it.each([
  [{ experts: 128, used: 8 }, 8, 8],
  [{ experts: 128, used: 8 }, 64, 8],
  [{ experts: 128, used: 8 }, 512, 64],
  [{ experts: 128, used: 8 }, 2048, 128],
  [{ experts: 8, used: 2 }, 64, 32],
])('%j, %i rows: tiles of %i pairs on Hopper', (pairs, rows, tileRows) => {
  expect(expertTileRows(pairs, programOf(rows), cudaTarget(['sm_90a']))).toBe(tileRows);
});
