import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { emit } from '../../compiler/emit/index.js';
import { render } from '../../compiler/emit/render.js';
import { view } from '../../compiler/emit/view.js';
import { buildGraph } from '../../compiler/graph/build.js';
import { runPasses } from '../../compiler/passes/index.js';
import { lower } from '../../compiler/plan/lower.js';
import { type Plan, planJson } from '../../compiler/plan/plan.js';
import { cudaTarget, hostTarget } from '../../compiler/target/target.js';
import { packageFile } from '../../runtime/common/package.js';
import { makeSpec } from '../support/specs.js';

function planOf(kind: 'cuda' | 'host', name = 'tiny'): Plan {
  const spec = { ...makeSpec({ layers: 2 }), name };
  const target = kind === 'cuda' ? cudaTarget(['sm_90a']) : hostTarget();
  return lower(spec, runPasses(buildGraph(spec)), target, { contextLength: 64, compilerVersion: '1.2.3' });
}

describe.each(['cuda', 'host'] as const)('the source for %s', (kind) => {
  const plan = planOf(kind);
  const files = render(plan);

  it('is these files', () => {
    const device = kind === 'cuda' ? ['code.S'] : [];
    const binding = ['index.d.mts', 'index.mjs'];
    const common = ['CMakeLists.txt', 'graph.cpp', 'kernels.cu', 'model.h', 'plan.json'];
    expect([...files.keys()].sort()).toEqual([...common, ...device].sort());
    expect([...emit(plan).keys()].sort()).toEqual([...common, ...device, ...binding].sort());
    expect(files.get('plan.json')).toBe(planJson(plan));
  });

  it('has every kernel of the plan, in order', () => {
    const kernels = files.get('kernels.cu')!;
    let at = 0;
    for (const { symbol } of plan.kernels) {
      at = kernels.indexOf(`REALIZAR_KERNEL(${symbol}, `, at);
      expect(at, symbol).toBeGreaterThanOrEqual(0);
    }
  });

  it('says what each node does, with shapes', () => {
    const graph = files.get('graph.cpp')!;
    expect(graph).toContain('// attn_kqv f32[8]: attn_output F32 [12 x 8], + previous l_out -> f32[12]\n');
    expect(graph).toContain('// the next token; token, position and seq_len move on\n');
  });

  it('leaves no template behind, ends each file with one newline, and is ASCII', () => {
    for (const [name, text] of files) {
      expect(text, name).not.toMatch(/\{\{[#/]?\w|[ (]undefined\b|\[object |\bNaN\b/);
      expect(text, name).toMatch(/[^\n]\n$/);
      expect(text, name).toMatch(/^[\n\x20-\x7e]*$/);
    }
  });
});

describe('templates', () => {
  it.each(['graph.cpp', 'kernels.cu', 'model.h', 'CMakeLists.txt', 'code.S'])(
    '%s names only what the view has',
    (name) => {
      const source = readFileSync(packageFile('templates', `${name}.hbs`), 'utf8');
      const used = [...source.matchAll(/\{\{#(?:each|if|unless|with) (\w+)\}\}/g)].map((match) => match[1]!);
      const top = new Set([
        ...Object.keys(view(planOf('cuda'))),
        ...['tables', 'fields', 'asserts', 'functions', 'lines', 'struct'],
      ]);
      for (const word of used) expect(top, word).toContain(word);
    },
  );
});

it('a model name is text in all of them', () => {
  const name = 'x"); system("id");//\n*/ {{title}} \x24{HOME} \\';
  const files = emit(planOf('cuda', name));
  for (const [file, text] of files) {
    if (file !== 'plan.json') expect(text, file).toMatch(/^[\n\x20-\x7e]*$/);
    expect(
      text.split('\n').every((line) => !line.endsWith('\\')),
      file,
    ).toBe(true);
  }
  // Outside of comments and literals nothing of it is left.
  const code = [...files]
    .filter(([file]) => /\.(h|cpp|cu)$/.test(file))
    .map(([, text]) => text.replace(/\/\/.*$|"[^"\n]*"/gm, ''));
  expect(code.join()).not.toMatch(/system|HOME|title/);
  expect(files.get('CMakeLists.txt')!.replace(/^#.*$/gm, '')).not.toMatch(/system\(|\$\{HOME\}/);
});
