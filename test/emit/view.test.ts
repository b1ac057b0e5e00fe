import { describe, expect, it } from 'vitest';
import { view } from '../../compiler/emit/view.js';
import { buildGraph } from '../../compiler/graph/build.js';
import { runPasses } from '../../compiler/passes/index.js';
import { planLoaders } from '../../compiler/plan/loaders.js';
import { lower } from '../../compiler/plan/lower.js';
import { cudaTarget, hostTarget, type Target } from '../../compiler/target/target.js';
import { makeSpec, type SpecOptions } from '../support/specs.js';

function planOf(options: SpecOptions = {}, target: Target = cudaTarget(['sm_90a'])) {
  const spec = makeSpec(options);
  return lower(spec, runPasses(buildGraph(spec)), target, { contextLength: 64, compilerVersion: '1.2.3' });
}

describe('the kernels', () => {
  it('widen vectors that the file has in 16 bits', () => {
    const plan = planOf();
    const tensors = plan.tensors.map((tensor) =>
      tensor.layout === 'vector' ? { ...tensor, type: 'BF16' as const } : tensor,
    );
    const { loaders } = planLoaders(tensors, ['F32', 'BF16']);
    expect(loaders.map(({ body }) => body)).toEqual(['repack<F32>', 'widen_vector<BF16>']);
  });

  it('take tensors as the file holds them: every other row, by columns, MXFP4 in two places', () => {
    const plan = planOf();
    const matrix = plan.tensors.find(({ layout }) => layout === 'tiled')!;
    const vector = plan.tensors.find(({ layout }) => layout === 'vector')!;
    const tensors = [
      { ...matrix, transposed: true as const },
      { ...matrix, transposed: true as const, alternate: 'even' as const },
      { ...vector, alternate: 'odd' as const },
      { ...matrix, type: 'Q8_0' as const, storedAs: 'BF16' as const, transposed: true as const },
      { ...matrix, type: 'MXFP4' as const, part: 'codes' as const },
      { ...matrix, type: 'MXFP4' as const, alternate: 'odd' as const, part: 'exponents' as const },
    ];
    const planned = planLoaders(tensors, ['F32', 'Q8_0', 'MXFP4']);
    const others = plan.tensors.map((tensor) => ({ ...tensor, loader: null }));
    const data = view({ ...plan, loaders: planned.loaders, tensors: [...others, ...planned.tensors] });
    expect(planned.loaders).toEqual([
      { symbol: 'realizar_repack_f32_columns', body: 'repack_columns<F32>' },
      { symbol: 'realizar_repack_f32_columns_even', body: 'repack_columns<Even<F32>>' },
      { symbol: 'realizar_widen_f32_odd', body: 'widen_vector<Odd<F32>>' },
      { symbol: 'realizar_quantize_bf16_to_q8_0_columns', body: 'repack_columns<ToQ8_0<BF16>>' },
      { symbol: 'realizar_repack_mxfp4_codes', body: 'repack<MXFP4Codes>' },
      { symbol: 'realizar_repack_mxfp4_odd_exponents', body: 'repack<Odd<MXFP4Exponents>>' },
    ]);
    const stated = data.tensors.functions.map(({ lines }) => lines.join('\n')).join('\n');
    expect(stated.match(/\.loader = \S+"|\.by_columns = true/g)).toEqual([
      ...['.loader = "realizar_repack_f32_columns"', '.by_columns = true'],
      ...['.loader = "realizar_repack_f32_columns_even"', '.by_columns = true', '.loader = "realizar_widen_f32_odd"'],
      ...['.loader = "realizar_quantize_bf16_to_q8_0_columns"', '.by_columns = true'],
      ...['.loader = "realizar_repack_mxfp4_codes"', '.loader = "realizar_repack_mxfp4_odd_exponents"'],
    ]);
  });

  it('have the frequencies of the rope: base^(-2i / dimensions)', () => {
    const data = view(planOf({ headSize: 8 }));
    const [table] = data.kernels.flatMap(({ tables }) => tables);
    expect(table!.size).toBe(4);
    const values = table!.values.split(', ').map((value) => Math.fround(Number.parseFloat(value)));
    expect(values).toEqual([1, 0.1, 0.01, 0.001].map(Math.fround));
  });

  it('say what they do, and for how many nodes', () => {
    const abouts = view(planOf({ layers: 3 })).kernels.map(({ about }) => about);
    expect(abouts).toContainEqual(expect.stringMatching(/^blk\.0\.attn_qkv \(and 2 more\): .*attn_q F32 \[8 x 12\]/));
  });
});

describe('the target', () => {
  it('is one gencode an architecture, or the host', () => {
    expect(view(planOf({}, cudaTarget(['sm_80', 'sm_90a']))).gencode).toBe(
      '-gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a',
    );
    expect(view(planOf({}, hostTarget()))).toMatchObject({ host: true, archs: '' });
  });
});

it('is the same each time', () => expect(view(planOf())).toEqual(view(planOf())));
