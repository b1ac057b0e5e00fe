import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { bindingFiles as filesOf } from '../../compiler/emit/binding.js';
import { buildAddon, buildArtifact, installPackage, runNode, Script, temporaryDirectory } from '../addon/support.js';

const INFO = {
  identifier: 'mock',
  name: 'mock',
  architecture: 'llama',
  vocabSize: 16,
  contextLength: 32,
  embeddingLength: 8,
  layerCount: 1,
  headCount: 2,
  headCountKv: 1,
  headSize: 4,
  nodeCount: 7,
  weightsBytes: 2 ** 40,
  kvCacheBytes: 64,
  arenaBytes: 32,
  target: 'cuda',
  gpuArchs: ['sm_90a', 'sm_120'],
  compilerVersion: '1.2.3',
  fileBytes: 3,
  headerSha256: '00ff',
  library: 'libmock.so',
};

type Info = typeof INFO;

const bindingFiles = ({ identifier, ...constants }: Info) =>
  filesOf(
    identifier,
    Object.entries(constants).map(([name, value]) => ({ name, value, docs: name })),
  );

function write(dir: string, info: Info): void {
  for (const [name, text] of bindingFiles(info)) writeFileSync(join(dir, name), text);
}

/** What the compiler says about modules of a project whose dependency is this package, and about the binding itself. */
function problems(dir: string, ...sources: string[]): string[] {
  const users = sources.map((source, i) => {
    const path = join(dir, `user${i}.mts`);
    writeFileSync(path, source);
    return path;
  });
  const program = ts.createProgram(users, {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [fileURLToPath(new URL('../../node_modules/@types', import.meta.url))],
  });
  const ours = program
    .getSourceFiles()
    .filter(({ fileName }) => /user\d\.mts|index\.d\.m?ts/.test(fileName) && fileName.startsWith(dir));
  expect(ours.map(({ fileName }) => fileName)).toContain(join(dir, 'index.d.mts'));
  return ours
    .flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

let project: string;
beforeAll(async () => {
  buildAddon();
  project = buildArtifact(temporaryDirectory());
  await installPackage(project);
  write(project, INFO);
}, 300_000);

describe('the binding of a model', () => {
  it('opens it', () => {
    const source = `import { mock, open } from './index.mjs';
      const model = await open({ model: ${JSON.stringify(new Script().path)} });
      console.log(model.info.vocabSize === mock.vocabSize, mock.library, mock.gpuArchs.join());
      await model.close();`;
    expect(runNode(project, source)).toBe('true libmock.so sm_90a,sm_120\n');
  });

  it('has the types of its constants, and of the runtime', () => {
    const uses = `import { mock, open } from './index.mjs';
      const vocabulary: 16 = mock.vocabSize;
      const target: 'cuda' = mock.target;
      const archs: readonly ['sm_90a', 'sm_120'] = mock.gpuArchs;
      const logits: Promise<Float32Array> = open({ model: 'x', device: vocabulary })
        .then((model) => model.createSession())
        .then((session) => session.logits());
      const text: Promise<string> = mock.load({ context: vocabulary })
        .then(async (model) => (await model.generate('x', { maxTokens: 3 }).result).text);
      export { archs, logits, target, text };`;
    const withoutModel = "import { open } from './index.mjs';\nopen({});";
    const writing = "import { mock } from './index.mjs';\nmock.vocabSize = 16;";
    const misspelt = "import { mock } from './index.mjs';\nmock.load({ modle: 'x' });";
    expect(problems(project, uses, withoutModel, writing, misspelt)).toEqual([
      expect.stringContaining("'model' is missing"),
      expect.stringContaining('read-only'),
      expect.stringContaining("'modle' does not exist"),
    ]);
  }, 300_000);

  it('has the same bytes every time', () => {
    expect([...bindingFiles({ ...INFO })]).toEqual([...bindingFiles(INFO)]);
  });
});

/** Writes the binding of a model of this name. Returns a module that uses it. */
function bind(identifier: string, exported: string): string {
  write(project, { ...INFO, identifier });
  return `import * as binding from './index.mjs';
    const size: 16 = binding.${exported}.vocabSize;
    export const opened = binding.open({ model: \`${'$'}{size}\` });`;
}

/** The constants of a binding, evaluated: its module without import and export. */
function evaluate(info: Info): Omit<Info, 'identifier'> {
  const source = bindingFiles(info).get('index.mjs')!;
  const script = source
    .replace(/^import .*$/m, '')
    .replace(/^export /gm, '')
    .replaceAll('import.meta.url', '""');
  const { load, ...constants } = new Function(`"use strict"; ${script}; return ${info.identifier};`)();
  expect(load).toBeInstanceOf(Function);
  return constants;
}

describe('names that a model file may carry', () => {
  const { identifier: _, ...constants } = INFO;

  it.each(['x"); process.exit(1);//', '\\', '*/', '__proto__', '\u2028\u202e\n', '\ud800', "'"])(
    '%j is text',
    (name) => {
      const architecture = `${name}${name}`;
      expect(evaluate({ ...INFO, name, architecture })).toEqual({ ...constants, name, architecture });
      const text = [...bindingFiles({ ...INFO, name }).values()].join('');
      expect(text).toMatch(/^[\n\x20-\x7e]*$/);
    },
  );

  it('are text, whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(evaluate({ ...INFO, name }).name).toBe(name);
      }),
      { numRuns: 10 },
    );
  });

  it('do not collide with the language or with the binding', () => {
    const exported = (identifier: string) =>
      /^export const (\w+) = \{$/m.exec(bindingFiles({ ...INFO, identifier }).get('index.mjs')!)?.[1];
    for (const identifier of ['class', 'default', 'openModel', 'loadModel', 'LoadOptions', 'eval', 'await', 'URL'])
      expect(exported(identifier)).toBe(`${identifier}Model`);
    expect(exported('open')).toBe('openModelModel'); // openModel is imported
    for (const identifier of ['open', 'Promise', 'globalThis', 'require'])
      expect(problems(project, bind(identifier, exported(identifier)!))).toEqual([]);
    for (const identifier of ['', 'a b', 'a;b', '1a', 'a-b', '"a"'])
      expect(() => bindingFiles({ ...INFO, identifier })).toThrow('is no identifier');
  });
});
