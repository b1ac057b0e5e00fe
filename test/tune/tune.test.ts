/** --tune with a measuring program that makes times up, from what the candidates' kernels look like. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { planModel } from '../../compiler/compile.js';
import type { Plan } from '../../compiler/plan/plan.js';
import { readTuning, type Tuning } from '../../compiler/plan/tuning.js';
import { cudaTarget, hostTarget } from '../../compiler/target/target.js';
import type { Measurement } from '../../compiler/tune/search.js';
import { planCandidates, readMeasurements, tuneFrom } from '../../compiler/tune/tune.js';
import { VERSION } from '../../runtime/common/package.js';
import { cli } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
import { readGolden } from '../support/goldens.js';
import { temporaryFolder } from '../support/tiny_models.js';

const { model } = readGolden('llama-q8_0');
const scratch = emptyFolder(temporaryFolder);
const cuda = { target: 'cuda', archs: ['sm_90a'] } as const;
const h100 = { device: 'An H100', multiprocessors: 132, compute_capability: '9.0' };

/** Kernels with fewer threads are faster, by far; a node's time is a number of its own. */
const timeOf = (plan: Plan, kernel: number): number => {
  const { config, launch } = plan.kernels[kernel]!;
  return config.kind === 'projection' ? launch.threads + config.cols / 1000 : 100;
};

function profileOf(plan: Plan, depth: number): Measurement['profile'] {
  const kinds = plan.kernels.map(({ symbol }, kernel) => ({
    name: symbol.replace('realizar_', ''),
    us: timeOf(plan, kernel) * plan.programs[0].nodes.filter((node) => node.kernel === kernel).length,
  }));
  return { ...h100, depth, kinds: kinds.filter(({ us }) => us > 0) };
}

const planned = planCandidates(model, cuda);
const measurements = planned.flatMap(({ name, plan }) =>
  [0, 40].map((depth): Measurement => ({ candidate: name, profile: profileOf(plan, depth) })),
);
const file = (name: string) => join(scratch, name);
const tuneInto = (name: string, from: readonly Measurement[] = measurements): Tuning =>
  tuneFrom(model, from, { ...cuda, file: file(name) });

describe('the candidates', () => {
  it('start with the untuned plan, and each has another', () => {
    expect(planned[0]).toMatchObject({
      name: 'untuned',
      changes: {},
      plan: planModel(model, { ...cuda, programs: ['token'] }),
    });
    expect(planned.length).toBeGreaterThan(5);
    expect(new Set(planned.map(({ plan }) => JSON.stringify(plan))).size).toBe(planned.length);
    expect(new Set(planned.map(({ name }) => name)).size).toBe(planned.length);
  });
});

describe('the winners', () => {
  it('are the fastest for each shape, and what is no faster stays', () => {
    const { shapes } = tuneInto('winners.json');
    const projections = planModel(model, cuda).kernels.filter(({ config }) => config.kind === 'projection');
    expect(shapes).toHaveLength(projections.length); // attention takes 100 us whatever is done to it
    const fewest = Math.min(...planned.map(({ changes }) => Number(changes.projection?.warps ?? 16)));
    for (const { shape, changes, us, untunedUs } of shapes) {
      expect(changes).toEqual({ projection: { warps: fewest } });
      expect(us).toBeLessThan(untunedUs);
      expect(shape.kind).toBe('projection');
    }
  });

  it('are what later compiles plan with', () => {
    const tuning = tuneInto('used.json');
    const threads = (plan: Plan, kind: string) =>
      plan.kernels.flatMap(({ config, launch }) => (config.kind === kind ? [launch.threads] : []));
    const [plain, tuned] = [planModel(model, cuda), planModel(model, { ...cuda, tuning })];
    const before = threads(plain, 'projection');
    for (const [i, n] of threads(tuned, 'projection').entries()) expect(n).toBeLessThan(before[i]!);
    expect(threads(tuned, 'attend')).toEqual(threads(plain, 'attend'));
  });

  it('depend on the measurements, not on their order, to the byte', () => {
    tuneInto('once.json');
    tuneInto('again.json', [...measurements].reverse());
    expect(readFileSync(file('again.json'), 'utf8')).toBe(readFileSync(file('once.json'), 'utf8'));
  });

  it('must save more than noise', () => {
    const close = measurements.map(({ candidate, profile }) => ({
      candidate,
      profile: {
        ...profile,
        kinds: profile.kinds.map(({ name }) => ({ name, us: candidate === 'untuned' ? 100 : 98.5 })),
      },
    }));
    expect(tuneInto('noise.json', close).shapes).toEqual([]);
  });

  it('are of one device, and of all candidates at all depths', () => {
    const [first, ...rest] = measurements;
    const other = { ...first!, profile: { ...first!.profile, device: 'Another GPU' } };
    expect(() => tuneInto('bad.json', [other, ...rest])).toThrow(
      /several devices: .*An H100.*measure all candidates on one/,
    );
    expect(() => tuneInto('bad.json', rest)).toThrow('untuned was measured at depths 40, others at 0,40');
    expect(() => tuneInto('bad.json', [{ ...first!, candidate: 'x' }, ...rest])).toThrow(
      'candidate x was measured and is none',
    );
    expect(() => tuneInto('bad.json', [])).toThrow('no measurements');
    const renamed = { ...first!, profile: { ...first!.profile, kinds: [{ name: 'ghost', us: 1 }] } };
    expect(() => tuneInto('bad.json', [renamed, ...rest])).toThrow('has no kernel ghost');
    expect(existsSync(file('bad.json'))).toBe(false);
  });
});

describe('a tuning file', () => {
  let tuning: Tuning;
  beforeAll(() => {
    tuning = tuneInto('good.json');
  });
  const read = (changed: object | string, target = cudaTarget(['sm_90a'])) => {
    writeFileSync(
      file('changed.json'),
      typeof changed === 'string' ? changed : JSON.stringify({ ...tuning, ...changed }),
    );
    return readTuning(file('changed.json'), VERSION, target);
  };

  it('says where it comes from', () => {
    expect(tuning).toMatchObject({
      ...h100,
      version: 4,
      compilerVersion: VERSION,
      target: { kind: 'cuda', archs: ['sm_90a'] },
    });
    expect(read({})).toEqual(tuning);
  });

  it.each<[string, object | string, RegExp]>([
    ['another version', { version: 1 }, /version 1, this compiler reads version 4/],
    ['another compiler', { compilerVersion: '0.0.1' }, /measured with realizar-compile 0\.0\.1, this is/],
    [
      'another architecture',
      { target: { kind: 'cuda', archs: ['sm_80'] } },
      /measured on An H100 for sm_80, this compile is for sm_90a/,
    ],
    ['no JSON', '{', /not JSON/],
    ['null', 'null', /version undefined/],
    ['damaged shapes', { shapes: [{ shape: {}, changes: { projection: { warps: 'many' } } }] }, /damaged/],
    ['unknown changes', { shapes: [{ shape: {}, changes: { select: { blocks: 2 } } }] }, /damaged/],
  ])('of %s is refused', (_, changed, message) => {
    expect(() => read(changed)).toThrow(message);
    expect(() => read(changed)).toThrow(
      /^tuning file .*changed\.json: .*measure again with --tune, or compile with --no-tuning/,
    );
  });

  it('is not for the host target, nor one that is not there', () => {
    expect(() => read({}, hostTarget())).toThrow('this compile is for the host target');
    expect(() => readTuning(file('none.json'), VERSION, hostTarget())).toThrow('there is no such file');
  });
});

describe('the command line', () => {
  const out = (name: string) => join(scratch, name);
  const flags = ['--target', 'cuda', '--no-build', '--quiet'];
  const planOf = (name: string): Plan => JSON.parse(readFileSync(join(out(name), 'plan.json'), 'utf8'));

  it('tunes from measurements, uses the file beside the artifact from then on, or leaves it', async () => {
    writeFileSync(file('measurements.json'), JSON.stringify({ measurements }));
    expect(readMeasurements(file('measurements.json'))).toEqual(measurements);
    const tuned = await cli([model, ...flags, '-o', out('a'), '--tune', '--measurements', file('measurements.json')]);
    expect(tuned).toMatchObject({ code: 0, stderr: '' });
    const tuning = readTuning(`${out('a')}.tuning.json`, VERSION, cudaTarget(['sm_90a']));
    expect(planOf('a')).toEqual(planModel(model, { ...cuda, tuning }));
    expect(await cli([model, ...flags, '-o', out('a')])).toMatchObject({ code: 0 });
    expect(planOf('a')).toEqual(planModel(model, { ...cuda, tuning }));
    expect(await cli([model, ...flags, '-o', out('a'), '--no-tuning'])).toMatchObject({ code: 0 });
    expect(planOf('a')).toEqual(planModel(model, cuda));
    expect(await cli([model, ...flags, '-o', out('b'), '--tuning', `${out('a')}.tuning.json`])).toMatchObject({
      code: 0,
    });
    expect(planOf('b')).toEqual(planModel(model, { ...cuda, tuning }));
  });

  it('says what does not go together', async () => {
    const messages = [
      [2, ['--candidates', out('c')], '--candidates and --measurements are for --tune'],
      [2, ['--tune', '--no-tuning'], '--tune writes a tuning file, --no-tuning uses none'],
      [1, ['--tuning', file('none.json')], 'there is no such file'],
      [1, ['--tune', '--measurements', file('none.json')], 'ENOENT'],
    ] as const;
    for (const [exit, args, message] of messages) {
      const { code, stderr } = await cli([model, ...flags, '-o', out('c'), ...args]);
      expect({ code, stderr }).toEqual({ code: exit, stderr: expect.stringContaining(message) });
    }
  });
});
