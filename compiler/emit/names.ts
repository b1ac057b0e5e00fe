/** Every identifier, file name and literal that is emitted; nothing from a model file reaches source but through here. */
import { fileName } from '../../runtime/artifact_folder/names.js';
import type { GgmlType } from '../../runtime/files/ggml.js';

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
/** Where there are programs of many rows. */
export const F16_CEILING_SYMBOL = 'realizar_f16_ceiling';

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
