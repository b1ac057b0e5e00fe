/**
 * The Node binding of a compiled model: `index.mjs`, an ES module, and its types, `index.d.mts`. ts-morph writes one
 * TypeScript module and compiles it, since Node 20 runs no TypeScript; ".mjs" because the nearest package.json of an
 * artifact is its user's. The runtime is imported by its package's name: a project that depends on the package finds it
 * from any of its folders, and a checkout of the compiler finds itself.
 */
import { createRequire } from 'node:module';
import type { Project } from 'ts-morph';

/** Loaded when a binding is written: it holds a whole TypeScript compiler, which most commands have no use for. */
const tsMorph = (): typeof import('ts-morph') => createRequire(import.meta.url)('ts-morph');

/** What the binding states; sizes in bytes. */
export interface BindingInfo {
  /** Name of the exported constant, from names.ts. Where it is taken, "Model" is appended. */
  readonly identifier: string;
  readonly name: string;
  readonly architecture: string;
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly embeddingLength: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly headCountKv: number;
  readonly headSize: number;
  readonly nodeCount: number;
  readonly weightsBytes: number;
  readonly kvCacheBytes: number;
  readonly arenaBytes: number;
  readonly target: 'cuda' | 'host';
  readonly gpuArchs: readonly string[];
  readonly compilerVersion: string;
  readonly fileBytes: number;
  readonly headerSha256: string;
  readonly library: string;
}

/** The constants, in the order in which they are written, and what each means. */
const CONSTANTS: Record<Exclude<keyof BindingInfo, 'identifier'>, string> = {
  name: "The model file's stem.",
  architecture: 'general.architecture of the model file.',
  target: 'What the model was compiled for.',
  gpuArchs: 'GPU architectures with machine code in the library; none for the host target.',
  compilerVersion: 'Version of realizar-compile.',
  library: 'File name of the library.',
  vocabSize: 'Tokens of the vocabulary; logits of a step.',
  contextLength: 'Positions of a session.',
  embeddingLength: 'Elements of the residual stream.',
  layerCount: 'Transformer blocks.',
  headCount: 'Query heads of a layer.',
  headCountKv: 'Key and value heads of a layer.',
  headSize: 'Elements of a head.',
  nodeCount: "Kernel nodes in one token's graph.",
  weightsBytes: 'Device memory for the weights.',
  kvCacheBytes: "Device memory for one session's KV cache.",
  arenaBytes: "Device memory for one session's activations.",
  fileBytes: 'Size of the GGUF file.',
  headerSha256: "SHA-256 of the GGUF file's bytes before its tensor data.",
};

const FILE = 'index.mts';
const IMPORTS = ['loadModel', 'openModel'];
const TYPE_IMPORTS = ['LanguageModel', 'LoadOptions', 'Model', 'OpenOptions'];
/** What the module uses of the language, and what TypeScript lets nobody declare. */
const GLOBALS = [
  'URL',
  'Promise',
  'globalThis',
  'eval',
  'arguments',
  'undefined',
  'NaN',
  'Infinity',
  'exports',
  'require',
  'module',
];
const OWN_NAMES = ['open', ...IMPORTS, ...TYPE_IMPORTS, ...GLOBALS];
const HERE = 'new URL(".", import.meta.url)';

/** The files of the binding, by name. The same bytes for the same info. */
export function bindingFiles(info: BindingInfo): Map<string, string> {
  const { ModuleKind, Project, ScriptTarget } = tsMorph();
  const project = new Project({
    useInMemoryFileSystem: true,
    compilerOptions: {
      target: ScriptTarget.ES2022,
      module: ModuleKind.ESNext,
      declaration: true,
      noLib: true,
      noResolve: true,
    },
  });
  writeModule(project, info);
  const emitted = project.emitToMemory().getFiles();
  return new Map(emitted.map(({ filePath, text }) => [filePath.slice(1), format(text)] as const).sort());
}

function writeModule(project: Project, info: BindingInfo): void {
  const { VariableDeclarationKind, Writers } = tsMorph();
  const source = project.createSourceFile(FILE);
  source.addImportDeclaration({
    moduleSpecifier: 'realizar-compile',
    namedImports: [...IMPORTS, ...TYPE_IMPORTS.map((name) => ({ name, isTypeOnly: true }))],
  });
  const constants = Object.entries(CONSTANTS).map(([name, docs]) => ({
    name,
    docs,
    value: info[name as keyof BindingInfo],
  }));
  source.addVariableStatement({
    docs: ['What was fixed when the model was compiled, and how to load it. Sizes in bytes.'],
    isExported: true,
    declarationKind: VariableDeclarationKind.Const,
    declarations: [
      {
        name: exportName(info.identifier),
        type: Writers.objectType({
          properties: constants.map(({ name, docs, value }) => ({
            name,
            docs: [docs],
            isReadonly: true,
            type: typeOf(value),
          })),
          methods: [
            {
              name: 'load',
              docs: ['Loads it, ready to write. Its GGUF file is looked for where it was compiled from, unless named.'],
              parameters: [{ name: 'options', type: 'LoadOptions', hasQuestionToken: true }],
              returnType: 'Promise<LanguageModel>',
            },
          ],
        }),
        initializer: Writers.object({
          ...Object.fromEntries(constants.map(({ name, value }) => [name, literal(value)])),
          load: `(options) => loadModel(${HERE}, options)`,
        }),
      },
    ],
  });
  source.addFunction({
    docs: ['Opens it to be stepped token by token. `options.model` is its GGUF file, whose weights go to the device.'],
    isExported: true,
    name: 'open',
    parameters: [{ name: 'options', type: 'OpenOptions' }],
    returnType: 'Promise<Model>',
    statements: `return openModel(${HERE}, options);`,
  });
  source.insertStatements(0, '// Written by realizar-compile: the constants of a compiled model, load() and open().');
}

/** A literal of plain ASCII, so that no reader or tool is misled by what a model calls itself. */
function literal(value: string | number | readonly string[]): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function typeOf(value: string | number | readonly string[]): string {
  return Array.isArray(value) ? `readonly ${literal(value)}` : literal(value as string | number);
}

function exportName(identifier: string): string {
  const { ScriptTarget, SyntaxKind, ts } = tsMorph();
  const scanner = ts.createScanner(ScriptTarget.ES2022, false, undefined, identifier);
  const kind = scanner.scan();
  const isName = kind === SyntaxKind.Identifier || (kind >= SyntaxKind.FirstKeyword && kind <= SyntaxKind.LastKeyword);
  if (!isName || scanner.getTokenEnd() !== identifier.length)
    throw new Error(`${literal(identifier)} is no identifier`);
  if (kind !== SyntaxKind.Identifier) return `${identifier}Model`; // a keyword
  let name = identifier;
  while (OWN_NAMES.includes(name)) name += 'Model';
  return name;
}

/** TypeScript's printer indents by four. */
function format(text: string): string {
  return text.replace(/^(?: {4})+/gm, (indent) => ' '.repeat(indent.length / 2));
}
