/**
 * replay --profile on the simulator: every node of the plan, what it reads, and sums that agree. Times there mean little.
 * What a step reads where layers have windows, of replay --bench as well.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Plan } from '../../compiler/plan/plan.js';
import { hostArtifact, replay } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';

interface Row {
  readonly name: string;
  readonly count: number;
  readonly us: number;
  readonly bytes: number;
  readonly floor_us: number;
  readonly above_floor_us: number;
}
interface Profile {
  readonly depth: number;
  readonly read_ceiling_gb_per_second: number;
  readonly token: Row;
  readonly kinds: readonly Row[];
  readonly nodes: readonly (Row & { kind: string })[];
}

const { model } = readGolden('llama-q4_k_m');
const depth = 5;
let folder: string;
let plan: Plan;
const profile = (...args: string[]) =>
  replay(folder, '--model', model, '--profile', '--steps', '2', '--depth', String(depth), ...args);

beforeAll(async () => {
  folder = await hostArtifact('profile-llama-q4_k_m', model);
  plan = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8'));
});

/** What the node runs at this depth. */
function kindOf(node: Plan['programs'][0]['nodes'][number]): string {
  const bucket = plan.programs[0].buckets.find(({ positions }) => depth < positions);
  const own = bucket?.kernels.find((other) => plan.programs[0].nodes[other.node] === node);
  return plan.kernels[own?.kernel ?? node.kernel]!.symbol.replace('realizar_', '');
}
const sum = (rows: readonly Row[], field: Exclude<keyof Row, 'name'>): number =>
  rows.reduce((total, row) => total + row[field], 0);

test('has every node of the plan with the bytes that it reads', async () => {
  const { code, stdout, stderr } = await profile('--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { nodes, kinds, token, read_ceiling_gb_per_second: ceiling, ...rest }: Profile = JSON.parse(stdout);
  expect(rest).toMatchObject({ depth, target: 'host' });
  expect(nodes.map(({ name, kind, bytes }) => ({ name, kind, bytes }))).toEqual(
    plan.programs[0].nodes.map((node) => ({
      name: node.name,
      kind: kindOf(node),
      bytes: node.readBytes + node.kvRowBytes * (depth + 1),
    })),
  );
  expect(token.bytes).toBe(plan.memory.tokenReadBytes + plan.memory.kvRowBytes * (depth + 1));
  expect(kinds.map(({ name, count }) => [name, count])).toEqual(
    [...new Set(plan.programs[0].nodes.map(kindOf))].map((kind) => [
      kind,
      plan.programs[0].nodes.filter((node) => kindOf(node) === kind).length,
    ]),
  );
  expect(token.us).toBeGreaterThan(0);
  for (const rows of [nodes, kinds]) {
    for (const field of ['count', 'bytes'] as const) expect(sum(rows, field)).toBe(token[field]);
    const rounding = rows.reduce((total, { us }) => total + Math.abs(us), 0) * 1e-5;
    expect(Math.abs(sum(rows, 'us') - token.us)).toBeLessThan(rounding);
    for (const row of rows) {
      expect(row.floor_us).toBeCloseTo(row.bytes / (ceiling * 1e3), 3);
      expect(Math.abs(row.us - row.floor_us - row.above_floor_us)).toBeLessThan(Math.abs(row.us) * 1e-4 + 1e-2);
    }
  }
});

test('is a table of kinds, and of nodes where asked for', async () => {
  const names = (text: string): string[] => text.split('\n').map((line) => line.split(' ')[0]!);
  const kinds = [...new Set(plan.programs[0].nodes.map(kindOf))];
  const { code, stdout } = await profile();
  expect(code).toBe(0);
  expect(names(stdout).slice(1)).toEqual(['kind', ...kinds, 'token', '']);
  expect(names((await profile('--verbose')).stdout).slice(1)).toEqual([
    ...['kind', ...kinds, 'token', '', 'node'],
    ...plan.programs[0].nodes.map(({ name }) => name),
    '',
  ]);
});

// Its times are differences of a CPU's, which other programs use too: often below nothing, were they shown.
test('says that the simulator’s times mean nothing, and has no share below nothing', async () => {
  const { stdout } = await profile('--verbose');
  expect(stdout.split('\n')[0]).toMatch(/: [\d.]+ us a token, the simulator's: its times mean nothing for a GPU$/);
  const shares = [...stdout.matchAll(/ (\S+)%$/gm)].map((match) => Number(match[1]));
  const { nodes: planned } = plan.programs[0];
  expect(shares).toHaveLength(new Set(planned.map(kindOf)).size + 1 + planned.length);
  for (const share of shares) expect(share).toBeGreaterThanOrEqual(0);
  expect(stdout).not.toContain('ceiling');
  const { nodes, kinds }: Profile = JSON.parse((await profile('--json')).stdout);
  for (const { us } of [...nodes, ...kinds]) expect(us).toBeGreaterThanOrEqual(0);
});

test('needs room for its step', async () => {
  const full = await replay(folder, '--model', model, '--profile', '--depth', String(plan.model.contextLength));
  expect(full).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('positions (--depth') });
});

describe('a model with windows', () => {
  const windowed = readGolden('gemma3-q8_0').model;
  /** Five layers see the newest 8 positions, the sixth sees all. */
  const seen = (positions: number): number[] => [...Array(5).fill(Math.min(positions, 8)), positions];
  const rowBytes = (of: Plan): number => of.memory.kvRowBytes / 6;
  let artifact: string;
  let own: Plan;
  beforeAll(async () => {
    artifact = await hostArtifact('profile-gemma3-q8_0', windowed);
    own = JSON.parse(readFileSync(join(artifact, 'plan.json'), 'utf8'));
  });
  const measured = async (...args: string[]) => {
    const { code, stdout, stderr } = await replay(artifact, '--model', windowed, '--json', ...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  };

  test.each([4, 20])('reads of its cache no more than a layer sees, at depth %i', async (depth) => {
    const { nodes, token }: Profile = await measured('--profile', '--steps', '2', '--depth', `${depth}`);
    const bytes = seen(depth + 1).map((positions) => rowBytes(own) * positions);
    expect(nodes.filter(({ name }) => name.endsWith('.attn_kqv')).map((node) => node.bytes)).toEqual(bytes);
    expect(token.bytes).toBe(own.memory.tokenReadBytes + bytes.reduce((a, b) => a + b));
  });

  test('has steps before and after its windows are full in a mean', async () => {
    const result = await measured('--bench', '--steps', '4', '--repeat', '1', '--depth', '4');
    const positions = [6, 7, 8, 9].flatMap(seen).reduce((a, b) => a + b) / 4;
    expect(result.bytes_per_token).toBe(own.memory.tokenReadBytes + rowBytes(own) * positions);
    expect(result.ratio).toBeCloseTo(result.gb_per_second / result.read_ceiling_gb_per_second, 3);
  });
});
