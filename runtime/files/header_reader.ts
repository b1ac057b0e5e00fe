/** Reads a model file's header front to back, in a few reads of doubling size, and never past the end of the file. */
import { readSync } from 'node:fs';
import { ModelFileError } from '../common/errors.js';
import { MAX_BYTES } from './limits.js';

const FIRST_READ = 1 << 16;

export class HeaderReader {
  /** Bytes read so far; the first `loaded` are valid. */
  private buffer = Buffer.alloc(0);
  private loaded = 0;
  position = 0;
  /** What is being read, for errors: `metadata key "general.name"`. */
  place = 'header';

  constructor(
    private readonly fd: number,
    readonly path: string,
    readonly fileBytes: number,
  ) {}

  get remaining(): number {
    return this.fileBytes - this.position;
  }

  fail(problem: string, position = this.position): never {
    throw new ModelFileError(this.path, `${this.place} at byte ${position}`, problem);
  }

  u8(what: string): number {
    return this.take(1, what).readUInt8();
  }

  u32(what: string): number {
    return this.take(4, what).readUInt32LE();
  }

  /** A u64 that a JavaScript number holds exactly. */
  u64(what: string): number {
    const bytes = this.take(8, what);
    const value = bytes.readUInt32LE(4) * 2 ** 32 + bytes.readUInt32LE(0);
    if (value > Number.MAX_SAFE_INTEGER) {
      this.fail(`expected ${what} below 2^53, found ${bytes.readBigUInt64LE()}`, this.position - 8);
    }
    return value;
  }

  /** A u64 that counts things of at least `unit` bytes that follow, so that it cannot be larger than the file. */
  count(what: string, unit: number): number {
    const value = this.u64(what);
    if (value * unit > this.remaining) {
      this.fail(
        `expected ${what} that fits in the file's remaining ${this.remaining} bytes, found ${value}`,
        this.position - 8,
      );
    }
    return value;
  }

  /** A length and that many bytes of UTF-8. */
  string(what: string): string {
    const start = this.position;
    const bytes = this.take(this.count(`a length of ${what}`, 1), what);
    return decodeUtf8(bytes) ?? this.fail(`expected UTF-8 in ${what}, found bytes that are not`, start);
  }

  /** The next `bytes` bytes. */
  take(bytes: number, what: string): Buffer {
    if (bytes > this.remaining) {
      this.fail(`expected ${what} (${bytes} bytes), found the end of the file ${this.remaining} bytes on`);
    }
    const start = this.position;
    this.load(start + bytes);
    this.position += bytes;
    return this.buffer.subarray(start, start + bytes);
  }

  /** Everything up to the position. */
  header(): Buffer {
    return this.buffer.subarray(0, this.position);
  }

  private load(end: number): void {
    if (end <= this.loaded) return;
    if (end > MAX_BYTES.ggufHeader)
      this.fail(`expected a header of at most ${MAX_BYTES.ggufHeader} bytes, found one of ${end} or more`);
    const larger = Buffer.alloc(Math.min(this.fileBytes, Math.max(end, 2 * this.loaded, FIRST_READ)));
    this.buffer.copy(larger, 0, 0, this.loaded);
    this.buffer = larger;
    while (this.loaded < larger.length) {
      const read = readSync(this.fd, larger, this.loaded, larger.length - this.loaded, this.loaded);
      if (read === 0)
        this.fail(`expected a file of ${this.fileBytes} bytes, found that it became shorter`, this.loaded);
      this.loaded += read;
    }
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** undefined where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}
