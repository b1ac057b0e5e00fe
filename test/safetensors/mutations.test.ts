/** config.json with keys changed to anything: read as what it says, or refused in few words; never a crash. */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { CompileError } from '../../runtime/common/errors.js';
import { isObject, type Json, type JsonObject } from '../../runtime/files/json.js';
import { convertFolder } from '../../runtime/files/safetensors/convert.js';
import { readFolder, type SafetensorsFolder } from '../../runtime/files/safetensors/folder.js';

const ROOT = fileURLToPath(new URL('../fixtures/transformers', import.meta.url));
const FOLDERS = readdirSync(ROOT)
  .filter((name) => existsSync(`${ROOT}/${name}/config.json`))
  .map((name) => readFolder(`${ROOT}/${name}`));

/** As JSON.parse makes them: a list or object in one another, and names that every object has. */
const nested = (levels: number): Json => {
  let value: Json = 1;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
};
const value: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json[]>(null, true, false, '', 'a', '__proto__', [], [1], [[1]], {}, nested(60)),
  fc.constantFrom(0, 1, 2, 3, 7, 16, 64, 128, 65536, 2 ** 20, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 60),
  fc.constantFrom(-1, 0.5, 1e-45, 1e-320, 1e38, 1e39, 1e308, Number.POSITIVE_INFINITY),
  fc.constantFrom<Json[]>(
    'linear',
    'yarn',
    'llama3',
    'longrope',
    'default',
    'dynamic',
    'gelu',
    'silu',
    'x'.repeat(9999),
  ),
  fc.constantFrom<Json[]>(Array(9999).fill(1), Array(9999).fill('full_attention'), JSON.parse('{"__proto__":{"a":1}}')),
  fc.double(),
  fc.integer(),
  fc.jsonValue() as fc.Arbitrary<Json>,
);
const foreign = fc.constantFrom(
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'text_config', 'quantization_config'],
  ...['rope_scaling', 'rope_parameters', 'rope_theta', 'layer_types', 'sliding_window', 'head_dim', 'num_experts'],
);
interface Change {
  /** Which key, where it is one of the file's own; in which object, where there are some. */
  readonly at: number;
  readonly inside: number;
  readonly key: string | undefined;
  readonly value: Json;
}
const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(),
  inside: fc.nat(4),
  key: fc.option(foreign, { nil: undefined, freq: 4 }),
  value,
});

function changed(config: JsonObject, { at, inside, key, value }: Change): JsonObject {
  const keys = Object.keys(config);
  const object = inside === 0 ? keys.find((one) => isObject(config[one])) : undefined;
  if (object !== undefined)
    return { ...config, [object]: changed(config[object] as JsonObject, { at, inside: 1, key, value }) };
  const name = key ?? keys[at % Math.max(1, keys.length)] ?? 'a';
  return Object.fromEntries([...Object.entries(config), [name, value]]);
}

/** The length of what it says against the model; 0 where it is taken. */
function refusal(folder: SafetensorsFolder, config: JsonObject): number {
  try {
    modelSpec(convertFolder({ ...folder, config }));
    return 0;
  } catch (error) {
    if (error instanceof CompileError) return error.message.length;
    throw error;
  }
}

test('a config.json with changed keys is taken or refused', () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.constantFrom(...FOLDERS), fc.array(change, { minLength: 1, maxLength: 2 }), (folder, changes) => {
      const length = refusal(folder, changes.reduce(changed, folder.config));
      expect(length).toBeLessThan(2000);
      if (length === 0) taken++;
    }),
    { numRuns: 1000 },
  );
  // Changes so coarse that nothing is taken would test only the refusals.
  expect(taken).toBeGreaterThan(50);
});

test('each key with a wrong type', () => {
  const others: readonly Json[] = [true, 'a', nested(60), -1, [null], 2 ** 53, {}, 0.5, [], 1e300];
  let next = 0;
  for (const folder of FOLDERS)
    for (const key of Object.keys(folder.config)) {
      const other = others[next++ % others.length]!;
      expect(refusal(folder, { ...folder.config, [key]: other }), `${folder.path} ${key}`).toBeLessThan(2000);
    }
});
