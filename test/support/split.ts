/** Splits a model as llama-gguf-split does: the metadata in the first part, tensors shared out, split.* in all. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type GgufInput, type MetadataValue, writeGguf } from './gguf_writer.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** `change` damages a part before it is written. Returns the parts' paths. */
export function splitModel(
  input: GgufInput,
  count: number,
  change: (part: GgufInput, index: number) => GgufInput = (part) => part,
): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'realizar-split-'));
  folders.push(folder);
  const five = (n: number) => `${n}`.padStart(5, '0');
  const u16 = (value: number): MetadataValue => ({ type: 'uint16', value });
  const each = Math.ceil(input.tensors.length / count);
  return Array.from({ length: count }, (_, i) => {
    const part: GgufInput = {
      metadata: [
        ...(i === 0 ? input.metadata : []),
        ['split.no', u16(i)],
        ['split.count', u16(count)],
        ['split.tensors.count', { type: 'int32', value: input.tensors.length }],
      ],
      tensors: input.tensors.slice(i * each, (i + 1) * each),
    };
    const path = join(folder, `model-${five(i + 1)}-of-${five(count)}.gguf`);
    writeFileSync(path, writeGguf(change(part, i)));
    return path;
  });
}
