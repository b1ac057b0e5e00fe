/** Models of every architecture, and the checked ones: their programs of many rows are planned, or left out with why. */
import { describe, expect, it } from 'vitest';
import { planModel } from '../../compiler/compile.js';
import { ARCHITECTURE_MODELS, architectureModel } from '../support/architecture_models.js';
import { GOLDEN_NAMES, readGolden } from '../support/goldens.js';

const models: [string, () => string][] = [
  ...GOLDEN_NAMES.map((name): [string, () => string] => [name, () => readGolden(name).model]),
  ...ARCHITECTURE_MODELS.map((model): [string, () => string] => [model.name, () => architectureModel(model)]),
];

describe.each(models)('%s', (_, path) => {
  it('has programs of many rows, unless it has experts', () => {
    const plan = planModel(path(), { target: 'host', programs: ['all'] });
    const hasExperts = plan.kernels.some(({ config }) => config.kind === 'experts');
    if (hasExperts) {
      expect(plan.programs).toHaveLength(1);
      expect(plan.leftOut.map(({ name, rows }) => `${name} ${rows}`)).toEqual(['batch 8', 'prompt 128']);
      expect(plan.leftOut[0]!.why).toMatch(/experts/);
    } else {
      expect(plan.leftOut).toEqual([]);
      expect(plan.programs.map(({ name }) => name)).toEqual(['token', 'batch', 'prompt', 'load']);
      const alone = planModel(path(), { target: 'host' });
      expect(plan.programs[0]).toEqual(alone.programs[0]);
      expect(plan.tensors).toEqual(alone.tensors);
    }
  });
});
