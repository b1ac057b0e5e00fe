/** Prints an Inspection for a terminal. Strings of the file are escaped. */

import { quote } from '../../runtime/common/quote.js';
import { alignColumns, formatBytes } from '../../runtime/common/text.js';
import type { InspectedEntry, InspectedTensor, Inspection } from './inspect.js';

/** `notes`: what else is to be said of a model that can be compiled. */
export function renderInspection(inspection: Inspection, notes: readonly string[] = []): string {
  const { bytes, format, version, alignment, headerBytes, headerSha256, tensors, types, memory } = inspection;
  return [
    inspection.path,
    format === 'gguf'
      ? `GGUF version ${version}, ${formatBytes(bytes)}, alignment ${alignment}`
      : `safetensors, ${formatBytes(bytes)}`,
    `header ${headerBytes} bytes, SHA-256 ${headerSha256}`,
    inspection.refusal === null
      ? ['can be compiled', ...notes].join('; ')
      : `cannot be compiled: ${inspection.refusal.replace(`${inspection.path}: `, '')}`,
    section(`Metadata (${inspection.metadata.length})`, inspection.metadata.map(metadataRow), [0, 0, 0]),
    tensorSection(tensors),
    section(
      'Types',
      types.map(({ type, tensors, elements, bytes }) => [
        type,
        `${tensors} tensors`,
        `${elements} elements`,
        formatBytes(bytes),
      ]),
      [0, 1, 1, 1],
    ),
    memoryText(memory),
  ].join('\n');
}

export const tensorSection = (tensors: readonly Omit<InspectedTensor, 'offset'>[]): string =>
  section(
    `Tensors (${tensors.length})`,
    tensors.map(({ name, type, shape, bytes }) => [plain(name), type, shape.join(' x '), formatBytes(bytes)]),
    [0, 0, 1, 1],
  );

function memoryText({ weightsBytes, kvCache }: Inspection['memory']): string {
  const title = `Memory: weights ${formatBytes(weightsBytes)}`;
  if (kvCache === null) return `\n${title}; the metadata does not describe a KV cache`;
  const rows = kvCache.map(({ context, bytes }) => [
    `${context} tokens`,
    `${formatBytes(bytes)} KV cache`,
    `${formatBytes(weightsBytes + bytes)} in all`,
  ]);
  return section(`${title}, and an f16 KV cache for a context of`, rows, [1, 1, 1]);
}

function metadataRow({ key, type, value }: InspectedEntry): string[] {
  if (typeof value !== 'object') return [plain(key), type, scalarText(value)];
  const more = value.length > value.first.length ? ', …' : '';
  return [plain(key), `${value.of}[${value.length}]`, `[${value.first.map(scalarText).join(', ')}${more}]`];
}

function scalarText(value: string | number | boolean): string {
  return typeof value === 'string' ? quote(value) : `${value}`;
}

/** A name as it is where that is safe to print, else quoted. */
export function plain(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : quote(name);
}

/** A title and rows in columns; right[i] is 1 for a column whose text stands to the right. */
export function section(title: string, rows: readonly string[][], right: readonly (0 | 1)[] = []): string {
  return ['', title, ...alignColumns(rows, right).map((line) => `  ${line}`)].join('\n');
}
