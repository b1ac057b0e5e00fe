import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { referenceLogits } from '../oracle/reference.js';
import { makeModel } from '../support/models.js';
import { nmse, readF32 } from '../support/nmse.js';
import { UNUSUAL_MODELS, unusualTokens } from '../support/unusual_models.js';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const golden = `${fixtures}/golden`;

interface Golden {
  readonly model: string;
  readonly tokens: number[];
  readonly logits: string;
  readonly greedy: number[];
  readonly shape: [tokens: number, vocabulary: number];
}

function greedy(logits: Float64Array, vocabSize: number): number[] {
  return Array.from({ length: logits.length / vocabSize }, (_, t) => {
    const row = logits.subarray(t * vocabSize, (t + 1) * vocabSize);
    return row.indexOf(Math.max(...row));
  });
}

/** That engine takes GELU from a table of halves; with the same rounding the reference is within 2e-11. */
const GELU_BY_TABLE = 1e-8;

describe('golden models, against an engine in float32', () => {
  test.each(readdirSync(golden).filter((name) => name.endsWith('.json')))('%s', (name) => {
    const expected: Golden = JSON.parse(readFileSync(`${golden}/${name}`, 'utf8'));
    const logits = referenceLogits(modelSpec(readGguf(`${golden}/${expected.model}`)), expected.tokens);
    expect(logits.length).toBe(expected.shape[0] * expected.shape[1]);
    expect(nmse(logits, readF32(`${golden}/${expected.logits}`))).toBeLessThan(
      name.startsWith('gemma') ? GELU_BY_TABLE : 1e-12,
    );
    expect(greedy(logits, expected.shape[1])).toEqual(expected.greedy);
  });
});

describe('unusual shapes, against an independent implementation in float64', () => {
  test.each(UNUSUAL_MODELS)('$name', (options) => {
    const logits = referenceLogits(modelSpec(readGguf(makeModel(options))), unusualTokens(options.vocabSize));
    expect(nmse(logits, readF32(`${fixtures}/unusual/${options.name}.logits.f32`))).toBeLessThan(1e-13);
  });
});

test('a token outside the vocabulary is refused', () => {
  const spec = modelSpec(readGguf(`${golden}/llama-q8_0.gguf`));
  expect(() => referenceLogits(spec, [0, 300])).toThrow('token 300 is none of 0..299');
  expect(() => referenceLogits(spec, [-1])).toThrow(RangeError);
  expect(() => referenceLogits(spec, [0.5])).toThrow(RangeError);
});
