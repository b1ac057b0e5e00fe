/** Reads a text of JSON into values of the caller's kind, and loses nothing of it: neither the order of keys nor how a number is written. */

export interface JsonValues<T> {
  literal(value: null | boolean): T;
  text(value: string): T;
  /** As it stands there. */
  number(text: string): T;
  list(items: T[]): T;
  /** In their order; a name may stand twice. */
  object(entries: [string, T][]): T;
  fail(problem: string): Error;
}

/** How deep it may be nested. */
const MAX_DEPTH = 500;

/** Errors: what `values` fails with. It is less strict about characters in texts than JSON is. */
export function readJsonAs<T>(source: string, values: JsonValues<T>): T {
  return new Reader(source, values).read();
}

class Reader<T> {
  #at = 0;
  #depth = 0;
  readonly #token = /[ \t\n\r]*(?:(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)|([[\]{},:"]))/y;

  constructor(
    private readonly source: string,
    private readonly values: JsonValues<T>,
  ) {}

  read(): T {
    const value = this.#value(this.#next());
    if (this.source.slice(this.#at).trim() !== '') throw this.#wrong();
    return value;
  }

  /** The next number, word or mark; of a text its quote. */
  #next(): string {
    this.#token.lastIndex = this.#at;
    const match = this.#token.exec(this.source);
    if (!match) throw this.#wrong();
    this.#at = this.#token.lastIndex;
    return match[1] ?? match[2] ?? match[3]!;
  }

  #value(token: string): T {
    if (token === '"') return this.values.text(this.#text());
    if (token === '[') return this.values.list(this.#nested(() => this.#list()));
    if (token === '{') return this.values.object(this.#nested(() => this.#entries()));
    if (token === 'null') return this.values.literal(null);
    if (token === 'true' || token === 'false') return this.values.literal(token === 'true');
    if (!/^-?\d/.test(token)) throw this.#wrong();
    return this.values.number(token);
  }

  #nested<Parts>(read: () => Parts): Parts {
    if (++this.#depth > MAX_DEPTH) throw this.values.fail(`expected JSON nested at most ${MAX_DEPTH} deep`);
    const parts = read();
    this.#depth--;
    return parts;
  }

  #list(): T[] {
    const items: T[] = [];
    let token = this.#next();
    if (token === ']') return items;
    for (;;) {
      items.push(this.#value(token));
      if (this.#follows(']')) return items;
      token = this.#next();
    }
  }

  #entries(): [string, T][] {
    const entries: [string, T][] = [];
    let token = this.#next();
    if (token === '}') return entries;
    for (;;) {
      if (token !== '"') throw this.#wrong();
      const key = this.#text();
      if (this.#next() !== ':') throw this.#wrong();
      entries.push([key, this.#value(this.#next())]);
      if (this.#follows('}')) return entries;
      token = this.#next();
    }
  }

  /** Whether the bracket is next; else a comma is. */
  #follows(bracket: string): boolean {
    const token = this.#next();
    if (token !== bracket && token !== ',') throw this.#wrong();
    return token === bracket;
  }

  /** The rest of a text whose quote was read. */
  #text(): string {
    let end = this.source.indexOf('"', this.#at);
    while (end >= 0 && this.#backslashes(end) % 2 === 1) end = this.source.indexOf('"', end + 1);
    if (end < 0) throw this.#wrong();
    const raw = this.source.slice(this.#at, end);
    this.#at = end + 1;
    return raw.includes('\\') ? JSON.parse(`"${raw}"`) : raw;
  }

  #backslashes(before: number): number {
    let at = before;
    while (at > this.#at && this.source[at - 1] === '\\') at--;
    return before - at;
  }

  #wrong(): Error {
    return this.values.fail(`expected JSON, found something else at character ${this.#at}`);
  }
}
