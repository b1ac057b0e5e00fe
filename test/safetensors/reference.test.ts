/** The float64 reference against transformers' own logits: the truth about architectures from outside. */
import { expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readModel } from '../../runtime/files/read.js';
import { referenceLogits } from '../oracle/reference.js';
import { nmse } from '../support/nmse.js';
import { CONTEXTS, readTransformersModel, TRANSFORMERS_NAMES } from '../support/transformers_models.js';

test.each(TRANSFORMERS_NAMES)('%s', (name) => {
  const { folder, tokens, logits } = readTransformersModel(name);
  const spec = modelSpec(readModel(folder));
  expect(nmse(referenceLogits(spec, tokens, CONTEXTS[name]), logits)).toBeLessThan(1e-10);
});
