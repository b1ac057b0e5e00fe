/**
 * Every target of targets.mjs on its stored corpus, and on mutations of it: always the same ones, or for FUZZ_SECONDS each other
 * ones (`make fuzz SECONDS=60`). What fails is printed with its bytes: it belongs into the corpus.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROOT } from '../support/artifacts.js';

type Target = (bytes: Buffer) => Promise<void>;

const CORPUS = join(ROOT, 'test/fuzz/corpus');
const { TARGETS }: { TARGETS: Record<string, Target> } = await import(join(ROOT, 'test/fuzz/targets.mjs'));
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 0);
/** Mutated inputs of each where no time is given; a template has a process of its own. */
const RUNS: Partial<Record<string, number>> = { template: 10 };

test.each(Object.entries(TARGETS))(
  '%s',
  async (name, target) => {
    const seeds = readdirSync(join(CORPUS, name)).map((file) => readFileSync(join(CORPUS, name, file)));
    expect(seeds.length).toBeGreaterThan(0);
    for (const seed of [...seeds, Buffer.alloc(0)]) await target(seed);
    const change = fc.record({ at: fc.nat(1 << 16), remove: fc.nat(8), insert: fc.uint8Array({ maxLength: 8 }) });
    const input = fc.tuple(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 4 }));
    const property = fc.asyncProperty(input, async ([seed, changes]) => {
      let bytes = seed;
      for (const { at, remove, insert } of changes) {
        const place = at % (bytes.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + remove)]);
      }
      await target(bytes);
    });
    const always = { seed: 1, numRuns: RUNS[name] ?? 100 };
    const other = { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: SECONDS * 1000 };
    await fc.assert(property, SECONDS > 0 ? other : always);
  },
  SECONDS * 1000 + 300_000,
);
