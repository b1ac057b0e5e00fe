/** Lines to stdout or stderr for a program that must not end, or wait, because of who reads them. */
import { writeSync } from 'node:fs';
import { printable } from '../common/printable.js';

/**
 * Writes at once or throws, with node's code. Pipes and sockets are not waited for: one that is full fails with EAGAIN.
 * A line of which a part was written is completed before the next one.
 */
export class LineSink {
  #rest: Uint8Array = new Uint8Array();

  constructor(private readonly stream: NodeJS.WriteStream & { readonly fd: number }) {
    // Having been made, the stream has set its pipe or socket not to block. Others write to it too, and may fail there.
    stream.on('error', () => {});
  }

  readonly write = (line: string): void => {
    if (this.#rest.length > 0) this.#rest = this.#put(this.#rest);
    if (this.#rest.length > 0) throw Object.assign(new Error('EAGAIN: a line is half written'), { code: 'EAGAIN' });
    this.#rest = this.#put(Buffer.from(`${printable(line)}\n`));
  };

  /** What is left. */
  #put(bytes: Uint8Array): Uint8Array {
    return bytes.subarray(writeSync(this.stream.fd, bytes));
  }
}
