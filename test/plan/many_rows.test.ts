import { describe, expect, it } from 'vitest';
import { sum } from '../../compiler/arithmetic.js';
import { buildGraph } from '../../compiler/graph/build.js';
import { programLabel, programOf } from '../../compiler/ir/programs.js';
import { runPasses } from '../../compiler/passes/index.js';
import { type ProgramsAsked, programsAsked, programsFor } from '../../compiler/plan/choose_programs.js';
import { lower } from '../../compiler/plan/lower.js';
import type { Plan, PlannedProgram } from '../../compiler/plan/plan.js';
import { cudaTarget, hostTarget, type Target } from '../../compiler/target/target.js';
import { FAMILIES, makeSpec, type SpecOptions } from '../support/specs.js';

const TARGETS = [hostTarget(), cudaTarget(['sm_90a'])];
const ROWS = [8, 64, 512];
const families = Object.entries(FAMILIES);

function planOf(options: SpecOptions, target = TARGETS[1]!, rows: readonly number[] = ROWS): Plan {
  const spec = makeSpec(options);
  const primitive = buildGraph(spec);
  const programs = rows.map(programOf);
  const manyRows = rows.length > 0 ? { programs, graph: runPasses(primitive, programs[0]) } : undefined;
  return lower(spec, runPasses(primitive), target, { contextLength: 64, compilerVersion: '0.0.0', manyRows });
}

describe.each(families)('%s', (_, options) => {
  it.each(TARGETS)('plans programs that leave the token program as it is ($kind)', (target) => {
    const [alone, plan] = [planOf(options, target, []), planOf(options, target)];
    expect(plan.programs.map(programLabel)).toEqual(['token', 'batch_8', 'batch_64', 'prompt_512', 'load']);
    expect(plan.programs[0]).toEqual(alone.programs[0]);
    expect(plan.kernels.slice(0, alone.kernels.length)).toEqual(alone.kernels);
    expect(plan.caches).toEqual(alone.caches);
    expect(plan.tensors).toEqual(alone.tensors);
    expect(plan.memory.tokenReadBytes).toBe(alone.memory.tokenReadBytes);
  });

  it.each(TARGETS)('gives no two live buffers of a program the same bytes ($kind)', (target) => {
    const { memory, programs } = planOf({ ...options, layers: 3 }, target);
    for (const { buffers } of programs)
      for (const a of buffers) {
        expect(a.offset + a.bytes).toBeLessThanOrEqual(memory.arenaBytes);
        for (const b of buffers) {
          const together = a !== b && a.firstNode <= b.lastNode && b.firstNode <= a.lastNode;
          const overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
          expect(together && overlap, `${a.name} and ${b.name}`).toBe(false);
        }
      }
  });
});

describe('a plan with programs of many rows', () => {
  const options: SpecOptions = { ...FAMILIES.gemma2, layers: 3, headSize: 20, embedding: 320, feedForward: 640 };
  const plan = planOf(options);
  const of = (label: string): PlannedProgram => plan.programs.find((program) => programLabel(program) === label)!;
  const argument = (program: PlannedProgram, node: string, name: string) =>
    program.nodes.find((one) => one.name === node)?.args.find((arg) => arg.name === name);

  it('has one arena, as large as the largest program needs', () => {
    const ends = plan.programs.map(({ buffers }) => Math.max(0, ...buffers.map(({ offset, bytes }) => offset + bytes)));
    expect(plan.memory.arenaBytes).toBeGreaterThanOrEqual(Math.max(...ends));
    expect(plan.memory.arenaBytes - Math.max(...ends)).toBeLessThan(256);
    expect(Math.max(...ends)).toBe(ends[plan.programs.indexOf(of('prompt_512'))]);
  });

  it('sizes operands with columns and rows filled up, then a scale a row; queries as f16', () => {
    const bytes = (name: string) => of('batch_8').buffers.find((buffer) => buffer.name === name)!.bytes;
    expect(bytes('blk.0.attn_norm_f16')).toBe(384 * 8 * 2 + 8 * 4);
    expect(bytes('blk.0.attn_query')).toBe(2 * (8 * 2 * 32 * 2)); // of weights in F32, two halves each
    const [output, scale] = ['output', 'output_scale'].map(
      (name) => argument(of('batch_8'), 'blk.0.attn_norm_f16', name)!,
    );
    expect(scale!.offset - output!.offset).toBe(384 * 8 * 2);
    expect(argument(of('batch_8'), 'blk.0.attn_qkv', 'input_scale')!.offset).toBe(scale!.offset);
  });

  it('reads the weights where the token program has them', () => {
    const token = plan.programs[0];
    for (const program of plan.programs.slice(1, -1))
      for (const { name, args } of program.nodes)
        for (const { name: field, region, offset } of args)
          if (region === 'weights' && /^(weights|bias|matrix_scale)/.test(field))
            expect(argument(token, name, field), `${name}: ${field}`).toMatchObject({ region, offset });
  });

  it('keeps a number for each matrix of a product after the tensors, which the load program finds', () => {
    const end = Math.max(...plan.tensors.map(({ deviceOffset, deviceBytes }) => deviceOffset + deviceBytes));
    const products = of('batch_64').nodes.filter((node) => node.args.some(({ name }) => name === 'largest'));
    const found = of('load').nodes.map((node) => node.args.find(({ name }) => name === 'largest')!);
    expect(found.map(({ offset }) => offset)).toEqual(
      products.map(({ args }) => args.find(({ name }) => name === 'largest')!.offset),
    );
    expect(new Set(found.map(({ offset }) => offset)).size).toBe(found.length);
    for (const { offset } of found) expect(offset % 256 === 0 && offset >= end).toBe(true);
    expect(of('load').nodes.map(({ name }) => name)).toEqual(products.map(({ name }) => `${name}_largest`));
  });

  it('has a step in the state with room for the largest program', () => {
    const parts = Object.fromEntries(plan.state.map(({ part, offset, bytes }) => [part, { offset, bytes }]));
    expect(parts.step!.bytes).toBe(16);
    expect(parts.rows).toEqual({ offset: parts.step!.offset + 16, bytes: 512 * 16 });
    expect(parts.tiles).toEqual({ offset: parts.rows!.offset + parts.rows!.bytes, bytes: 512 * 16 });
    expect(parts.output_rows).toEqual({ offset: parts.tiles!.offset + parts.tiles!.bytes, bytes: 64 * 4 });
    for (const part of planOf(options, TARGETS[1], []).state.filter(({ part }) => /step|rows|tiles/.test(part)))
      expect(part.bytes).toBe(0);
  });

  it('splits the columns of a matrix alike in all programs', () => {
    const splits = new Map<string, Set<number>>();
    for (const program of plan.programs)
      for (const { name, kernel } of program.nodes) {
        const { config } = plan.kernels[kernel]!;
        if (config.kind === 'matmul') splits.set(name, (splits.get(name) ?? new Set<number>()).add(config.splitSteps));
      }
    expect([...splits.values()].every(({ size }) => size === 1)).toBe(true);
  });

  it.each([
    ['gemma2', options, 3],
    ['mixtral', FAMILIES.mixtral!, 2],
    ['qwen2moe', FAMILIES.qwen2moe!, 2],
  ])('has as many operations a row as the token program, but for the logits (%s)', (_, family, layers) => {
    const { programs } = planOf(family);
    const flops = ({ nodes }: PlannedProgram, field: 'rowFlops' | 'positionFlops') =>
      sum(nodes.map((node) => node[field]));
    const { vocabSize, headCount, headSize, embeddingLength } = makeSpec(family);
    const [token, prompt] = [programs[0]!, programs.at(-2)!];
    expect(flops(token, 'rowFlops')).toBeGreaterThan(0);
    expect(flops(prompt, 'rowFlops')).toBe(flops(token, 'rowFlops') - 2 * vocabSize * embeddingLength);
    expect(flops(token, 'positionFlops')).toBe(layers * 4 * headCount * headSize);
    expect(flops(prompt, 'positionFlops')).toBe(flops(token, 'positionFlops'));
  });

  it('has two operations for each weight of a matrix', () => {
    const elements = plan.tensors.filter(({ rows }) => rows > 1).map(({ rows, cols }) => rows * cols);
    expect(sum(of('token').nodes.map(({ rowFlops }) => rowFlops))).toBe(2 * sum(elements));
  });

  it('names kernels of other programs after these', () => {
    const symbols = of('batch_8').nodes.map(({ kernel }) => plan.kernels[kernel]!.symbol);
    expect(symbols.every((symbol) => symbol.endsWith('_batch_8'))).toBe(true);
  });
});

describe('a plan with experts', () => {
  const options: SpecOptions = { ...FAMILIES.mixtral, experts: 64, layers: 1, feedForward: 32, embedding: 64 };
  const plan = planOf(options, undefined, [8, 512]);
  const [, batch, prompt, load] = plan.programs as [PlannedProgram, PlannedProgram, PlannedProgram, PlannedProgram];
  const node = (program: PlannedProgram, name: string) => program.nodes.find((one) => one.name === name)!;
  const bufferOf = (program: PlannedProgram, name: string) => program.buffers.find((one) => one.name === name)!;
  const kernelOf = (program: PlannedProgram, name: string) => plan.kernels[node(program, name).kernel]!;

  it('reads as many of them as rows can choose, where the token program has them', () => {
    const all = 64 * 32 * 64 * 4;
    expect(node(batch, 'blk.0.l_out_pairs').readBytes).toBe((all * 16) / 64);
    expect(node(prompt, 'blk.0.l_out_pairs').readBytes).toBe(all);
    const offset = (from: PlannedProgram, name: string) =>
      node(from, name).args.find(({ name }) => name === 'weights')!.offset;
    expect(offset(batch, 'blk.0.l_out_pairs')).toBe(offset(plan.programs[0], 'blk.0.l_out'));
    expect(offset(batch, 'blk.0.ffn_moe_swiglu')).toBe(offset(plan.programs[0], 'blk.0.ffn_moe_swiglu'));
  });

  it('has room for pairs, of each expert filled up to eight, and counts them by the list of tiles', () => {
    expect(bufferOf(batch, 'blk.0.ffn_moe_swiglu').bytes).toBe((16 + 7 * 16) * 32 * 4);
    expect(bufferOf(prompt, 'blk.0.ffn_moe_swiglu').bytes).toBe((1024 + 7 * 64) * 32 * 4);
    const places = node(batch, 'blk.0.ffn_moe_logits_places').args;
    const tiles = places.find(({ name }) => name === 'tiles')!;
    for (const name of ['blk.0.ffn_moe_swiglu', 'blk.0.ffn_moe_swiglu_f16', 'blk.0.l_out_pairs'])
      expect(node(batch, name).args[0], name).toMatchObject({ name: 'step', region: 'arena', offset: tiles.offset });
  });

  it('takes tiles of one size in all kernels of a program, and never splits the columns', () => {
    for (const program of [batch, prompt]) {
      const { config } = kernelOf(program, 'blk.0.ffn_moe_logits_places');
      const expected = {
        tileRows: (config as { tileRows?: number }).tileRows,
        splitSteps: 0,
        apart: false,
        experts: 64,
      };
      for (const name of ['blk.0.ffn_moe_swiglu', 'blk.0.l_out_pairs'])
        expect(kernelOf(program, name).config).toMatchObject(expected);
    }
  });

  it('finds the largest magnitude of each expert', () => {
    const [gate, down] = ['blk.0.ffn_moe_swiglu_largest', 'blk.0.l_out_pairs_largest'].map(
      (name) => node(load, name).args.find(({ name }) => name === 'largest')!.offset,
    );
    expect(down! - gate!).toBeGreaterThanOrEqual(2 * 64 * 4);
    expect(node(batch, 'blk.0.l_out_pairs').args).toContainEqual({ name: 'largest', region: 'weights', offset: down });
  });
});

describe('which programs a plan has', () => {
  const [host, cuda] = TARGETS as [Target, Target];
  const rowsOf = (asked: ProgramsAsked, target = cuda) => programsAsked(asked, target).map(programLabel);
  const graphOf = (options: SpecOptions) => buildGraph(makeSpec(options));

  it.each<[ProgramsAsked, string[]]>([
    [{}, ['batch_8', 'batch_16', 'batch_32', 'batch_64', 'prompt_512', 'prompt_2048']],
    [{ rows: [8, 256] }, ['batch_8', 'prompt_256']],
    [{ programs: ['token'] }, []],
    [{ programs: ['all'] }, ['batch_8', 'batch_16', 'batch_32', 'batch_64', 'prompt_512', 'prompt_2048']],
    [{ programs: ['token', 'prompt'] }, ['prompt_512', 'prompt_2048']],
    [{ programs: ['all'], rows: [1024, 8, 8, 72] }, ['batch_8', 'prompt_72', 'prompt_1024']],
  ])('%j', (asked, expected) => expect(rowsOf(asked)).toEqual(expected));

  it('is the choice of the target where no rows are named', () =>
    expect(rowsOf({ programs: ['all'] }, host)).toEqual(['batch_8', 'prompt_128']));

  it('is the token program alone on the host where nothing is asked for', () => expect(rowsOf({}, host)).toEqual([]));

  it.each<[ProgramsAsked, RegExp]>([
    [{ programs: ['tokens'] }, /no program "tokens"; --programs takes token/],
    [{ programs: [''] }, /no program ""/],
    [{ programs: ['all'], rows: [12] }, /--rows 12: rows are multiples of 8/],
    [{ programs: ['all'], rows: [0] }, /--rows 0: /],
    [{ programs: ['all'], rows: [2056] }, /--rows 2056: .*of a prompt up to 2048/],
    [
      { programs: ['token'], rows: [8] },
      /--rows 8 is of a batch program, which --programs token leaves out; add batch/,
    ],
    [{ programs: ['batch'], rows: [512] }, /--rows 512 is of a prompt program/],
  ])('refuses %j', (asked, message) => expect(() => rowsOf(asked)).toThrow(message));

  it.each<[string, SpecOptions, RegExp]>([
    ['many heads to a KV head', { heads: 65, kvHeads: 1 }, /65 query heads share a KV head, at most 64 may/],
    ['long heads', { headSize: 260 }, /heads have 260 elements, at most 256/],
    ['wide matrices', { feedForward: 32800 }, /ffn_down.* has 32800 columns, at most 32768/],
  ])('leaves out what a model with %s cannot have, and refuses it by name', (_, options, why) => {
    const graph = graphOf(options);
    const { programs, leftOut } = programsFor(graph, { programs: ['all'] }, host);
    expect(programs).toEqual([]);
    expect(leftOut).toMatchObject([
      { name: 'batch', rows: 8, why: expect.stringMatching(why) },
      { name: 'prompt', rows: 128 },
    ]);
    expect(() => programsFor(graph, { programs: ['prompt'] }, host)).toThrow(/this model has no prompt program: /);
    expect(programsFor(graph, {}, host)).toEqual({ programs: [], leftOut: [] });
  });
});
