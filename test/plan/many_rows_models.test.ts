/** Models of every architecture, and the checked ones: their programs of many rows are planned. */
import { describe, expect, it } from 'vitest';
import { planModel } from '../../compiler/compile.js';
import { ARCHITECTURE_MODELS, architectureModel } from '../support/architecture_models.js';
import { GOLDEN_NAMES, readGolden } from '../support/goldens.js';

const models: [string, () => string][] = [
  ...GOLDEN_NAMES.map((name): [string, () => string] => [name, () => readGolden(name).model]),
  ...ARCHITECTURE_MODELS.map((model): [string, () => string] => [model.name, () => architectureModel(model)]),
];

describe.each(models)('%s', (_, path) => {
  it('has programs of many rows', () => {
    const plan = planModel(path(), { target: 'host', programs: ['all'] });
    expect(plan.leftOut).toEqual([]);
    expect(plan.programs.map(({ name }) => name)).toEqual(['token', 'batch', 'prompt', 'load']);
    const alone = planModel(path(), { target: 'host' });
    expect(plan.programs[0]).toEqual(alone.programs[0]);
    expect(plan.tensors).toEqual(alone.tensors);
  });
});
