/** The metadata of a GGUF file: keys with typed values, asked for by key and type. */
import { ModelFileError } from '../common/errors.js';
import { quote } from '../common/quote.js';
import { decodeUtf8 } from './header_reader.js';

export type ScalarType =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'uint64'
  | 'int64'
  | 'float32'
  | 'float64'
  | 'bool'
  | 'string';

/** 64-bit integers are bigint, whatever their value. */
export type ScalarValue = number | bigint | boolean | string;

export interface ScalarEntry {
  readonly type: ScalarType;
  readonly value: ScalarValue;
}

/** Elements stay encoded until somebody asks: a tokenizer has hundreds of thousands. */
export interface ArrayEntry {
  readonly type: 'array';
  readonly of: ScalarType;
  readonly length: number;
  /** Decodes the elements one by one; strings as bytes, since tokens need not be UTF-8. */
  readonly elements: () => Iterable<Exclude<ScalarValue, string> | Uint8Array>;
}

export type MetadataEntry = ScalarEntry | ArrayEntry;

/**
 * The typed getters return undefined for an absent key, the `require` forms throw.
 * Errors: ModelFileError that names the key, the expected and the found type.
 */
export class Metadata {
  constructor(
    private readonly file: string,
    private readonly entries: ReadonlyMap<string, MetadataEntry>,
    /** What errors call a key. */
    private readonly place = (key: string): string => `metadata key ${quote(key)}`,
  ) {}

  get(key: string): MetadataEntry | undefined {
    return this.entries.get(key);
  }

  /** In the order of the file. */
  [Symbol.iterator](): IterableIterator<[string, MetadataEntry]> {
    return this.entries[Symbol.iterator]();
  }

  getString(key: string): string | undefined {
    return this.typed(key, 'a string', ({ value }) => (typeof value === 'string' ? value : undefined));
  }

  getBool(key: string): boolean | undefined {
    return this.typed(key, 'a bool', ({ value }) => (typeof value === 'boolean' ? value : undefined));
  }

  /** Any integer type, at least 0 and below 2^53. */
  getUint(key: string): number | undefined {
    return this.typed(key, 'an unsigned integer', toUint);
  }

  /** float32 or float64; may be NaN or infinite. */
  getFloat(key: string): number | undefined {
    return this.typed(key, 'a float', ({ type, value }) => (type.startsWith('float') ? Number(value) : undefined));
  }

  requireString(key: string): string {
    return this.getString(key) ?? this.fail(key, 'expected a string, found no such key');
  }

  requireUint(key: string): number {
    return this.getUint(key) ?? this.fail(key, 'expected an unsigned integer, found no such key');
  }

  requireFloat(key: string): number {
    return this.getFloat(key) ?? this.fail(key, 'expected a float, found no such key');
  }

  getArray(key: string): ArrayEntry | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined || entry.type === 'array') return entry;
    return this.fail(key, `expected an array, found ${describe(entry)}`);
  }

  /** Decodes an array of strings. */
  stringArray(key: string): string[] | undefined {
    const entry = this.getArray(key);
    if (entry === undefined) return undefined;
    if (entry.of !== 'string') this.fail(key, `expected an array of strings, found ${describe(entry)}`);
    return Array.from(
      entry.elements(),
      (bytes, i) => decodeUtf8(bytes as Uint8Array) ?? this.fail(key, `expected UTF-8, element ${i} is not`),
    );
  }

  /** Decodes an array of numbers of any type that a JavaScript number holds exactly. */
  numberArray(key: string): number[] | undefined {
    const entry = this.getArray(key);
    if (entry === undefined) return undefined;
    return Array.from(entry.elements(), (value) => {
      if (typeof value === 'number') return value;
      const number = typeof value === 'bigint' ? Number(value) : Number.NaN;
      if (!Number.isSafeInteger(number)) this.fail(key, `expected an array of numbers, found ${describe(entry)}`);
      return number;
    });
  }

  fail(key: string, problem: string): never {
    throw new ModelFileError(this.file, this.place(key), problem);
  }

  private typed<T>(key: string, expected: string, convert: (entry: ScalarEntry) => T | undefined): T | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    const value = entry.type === 'array' ? undefined : convert(entry);
    return value ?? this.fail(key, `expected ${expected}, found ${describe(entry)}`);
  }
}

function toUint({ type, value }: ScalarEntry): number | undefined {
  if (!type.includes('int')) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

/** "uint32 7", "string \"llama\"", "array of 3 int32". */
export function describe(entry: MetadataEntry): string {
  if (entry.type === 'array') return `array of ${entry.length} ${entry.of}`;
  return `${entry.type} ${typeof entry.value === 'string' ? quote(entry.value) : entry.value}`;
}
