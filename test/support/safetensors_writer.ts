/** Writes safetensors files and folders for tests: sound ones and, where a test says so, damaged ones. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The header as JSON text, or what to write of it; `data` follows. */
export function safetensorsFile(header: object | string, data: Uint8Array, length?: bigint): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, data]);
}

export const F32_PAIR = { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] } as const;

export type FolderFiles = Readonly<Record<string, Uint8Array | string | object>>;

/** Files of a folder: bytes, text, or what becomes JSON. */
export function writeFolder(path: string, files: FolderFiles): string {
  mkdirSync(path, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const plain = typeof content === 'string' || content instanceof Uint8Array;
    writeFileSync(join(path, name), plain ? content : JSON.stringify(content));
  }
  return path;
}
