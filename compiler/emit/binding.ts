/**
 * The Node binding of a compiled model: `index.mjs`, an ES module, and its types, `index.d.mts`. ts-morph writes one
 * TypeScript module and compiles it, since Node 20 runs no TypeScript; ".mjs" because the nearest package.json of an
 * artifact is its user's. The runtime is imported by its package's name: a project that depends on the package finds it
 * from any of its folders, and a checkout of the compiler finds itself.
 */
import { createRequire } from 'node:module';
import type { Project } from 'ts-morph';
import type { BindingConstant } from './constants.js';

/** Loaded when a binding is written: it holds a whole TypeScript compiler, which most commands have no use for. */
const tsMorph = (): typeof import('ts-morph') => createRequire(import.meta.url)('ts-morph');

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

/**
 * The files of the binding, by name. `identifier`: of the exported constant, from names.ts; where it is taken, "Model" is
 * appended. The same bytes for the same constants.
 */
export function bindingFiles(identifier: string, constants: readonly BindingConstant[]): Map<string, string> {
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
  writeModule(project, identifier, constants);
  const emitted = project.emitToMemory().getFiles();
  return new Map(emitted.map(({ filePath, text }) => [filePath.slice(1), format(text)] as const).sort());
}

function writeModule(project: Project, identifier: string, constants: readonly BindingConstant[]): void {
  const { VariableDeclarationKind, Writers } = tsMorph();
  const source = project.createSourceFile(FILE);
  source.addImportDeclaration({
    moduleSpecifier: 'realizar-compile',
    namedImports: [...IMPORTS, ...TYPE_IMPORTS.map((name) => ({ name, isTypeOnly: true }))],
  });
  source.addVariableStatement({
    docs: ['What was fixed when the model was compiled, and how to load it. Sizes in bytes.'],
    isExported: true,
    declarationKind: VariableDeclarationKind.Const,
    declarations: [
      {
        name: exportName(identifier),
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
