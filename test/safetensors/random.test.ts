/**
 * Models of every type with random hyperparameters, where somebody has made them (test/fixtures/transformers/random_models.py):
 * each has transformers' logits in the reference, those in float64 too if there are any, or is refused by name.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import type { ModelSpec } from '../../compiler/model/spec.js';
import { CompileError } from '../../runtime/common/errors.js';
import { readModel } from '../../runtime/files/read.js';
import { referenceLogits } from '../oracle/reference.js';
import { nmse, readF32, readF64 } from '../support/nmse.js';

const folder = process.env.RANDOM_MODELS;
const names =
  folder === undefined ? [] : readdirSync(folder).filter((name) => existsSync(join(folder, name, 'logits.f32')));

describe.skipIf(folder === undefined)('RANDOM_MODELS', () => {
  test('has models', () => expect(names.length).toBeGreaterThan(0));

  test.each(names)('%s', (name) => {
    const path = join(folder!, name);
    let spec: ModelSpec;
    try {
      spec = modelSpec(readModel(path));
    } catch (error) {
      expect(error).toBeInstanceOf(CompileError);
      return;
    }
    const { tokens } = JSON.parse(readFileSync(join(path, 'tokens.json'), 'utf8'));
    const logits = referenceLogits(spec, tokens);
    expect(nmse(logits, readF32(join(path, 'logits.f32')))).toBeLessThan(1e-9);
    const exact = join(path, 'logits.f64');
    if (existsSync(exact)) expect(nmse(logits, readF64(exact))).toBeLessThan(1e-25);
  });
});
