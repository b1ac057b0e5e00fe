/** Prints an Inspection for a terminal. Strings of the file are escaped. */
import type { InspectedEntry, Inspection } from './inspect.js';
import { quote } from './quote.js';

export function renderInspection(inspection: Inspection): string {
  const { bytes, version, alignment, headerBytes, headerSha256, tensors, types, memory } = inspection;
  return [
    inspection.path,
    `GGUF version ${version}, ${formatBytes(bytes)}, alignment ${alignment}`,
    `header ${headerBytes} bytes, SHA-256 ${headerSha256}`,
    inspection.refusal === null
      ? 'can be compiled'
      : `cannot be compiled: ${inspection.refusal.replace(`${inspection.path}: `, '')}`,
    section(`Metadata (${inspection.metadata.length})`, inspection.metadata.map(metadataRow), [0, 0, 0]),
    section(
      `Tensors (${tensors.length})`,
      tensors.map(({ name, type, shape, bytes }) => [plain(name), type, shape.join(' x '), formatBytes(bytes)]),
      [0, 0, 1, 1],
    ),
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
function plain(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : quote(name);
}

/** A title and rows in columns; right[i] is 1 for a column whose text stands to the right. */
function section(title: string, rows: readonly string[][], right: readonly (0 | 1)[]): string {
  const widths = right.map((_, i) => rows.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), 0));
  const line = (row: string[]): string =>
    row.map((cell, i) => (right[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ');
  return ['', title, ...rows.map((row) => `  ${line(row)}`.trimEnd())].join('\n');
}

/** "1.50 GiB". */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(bytes) / 10)));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 2)} ${units[power]}`;
}
