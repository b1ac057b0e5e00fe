/** Every identifier, file name and literal that is emitted; nothing from a model file reaches source but through here. */
import type { GgmlType } from '../model/ggml.js';

/** Files of an artifact folder, relative to it. */
export const FILES = {
  plan: 'plan.json',
  manifest: 'manifest.json',
  modelPath: 'model-path.json',
  signature: 'manifest.sig',
  graph: 'graph.cpp',
  kernels: 'kernels.cu',
  model: 'model.h',
  code: 'code.S',
  cmake: 'CMakeLists.txt',
  replay: 'replay',
  build: 'build',
} as const;

const LONGEST = 80;

/** A model's name as a file name: letters, digits, dot, dash and underscore, never hidden, never empty. */
export function fileName(model: string): string {
  const safe = model
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^[._-]+/, '')
    .slice(0, LONGEST);
  return safe === '' ? 'model' : safe;
}

/** A model's shared library, and its name without lib and .so. */
export const libraryName = (model: string): string => fileName(model).replace(/\.+/g, '_');
export const libraryFile = (model: string): string => `lib${libraryName(model)}.so`;

/** A TypeScript identifier for a model, camel case: "storyteller-q8_0" gives storytellerQ8_0. */
export function identifier(model: string): string {
  const parts = fileName(model)
    .split(/[.-]+/)
    .filter((part) => part !== '');
  const camel = parts.map((part, i) => (i === 0 ? part : part[0]!.toUpperCase() + part.slice(1))).join('');
  return /^[A-Za-z_]/.test(camel) ? camel : `model${camel}`;
}

/** What a kernel is compiled for: realizar_attn_qkv has attn_qkv_config. */
export const configStruct = (symbol: string): string => `${symbol.replace(/^realizar_/, '')}_config`;

export const gridTable = (type: GgmlType): string => `${type.toLowerCase()}_grid`;
export const READ_CEILING_SYMBOL = 'realizar_read_ceiling';

/** A C string literal: printable ASCII as it is, every other byte as three octal digits. */
export function cString(text: string): string {
  const bytes = [...new TextEncoder().encode(text)];
  const escaped = bytes.map((byte) => {
    const char = String.fromCharCode(byte);
    return byte >= 0x20 && byte < 0x7f && !'"\\?'.includes(char) ? char : `\\${byte.toString(8).padStart(3, '0')}`;
  });
  return `"${escaped.join('')}"`;
}

/** Text for a one-line C comment: no line ends, no trailing backslash, no comment marks. */
export function comment(text: string): string {
  return text.replace(/[^\x20-\x7e]|[\\?]/g, '_').replace(/\*\/|\/\*/g, '_');
}
