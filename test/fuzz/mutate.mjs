/** Inputs made from others: bytes, words and values of JSON are changed, repeated, left out and moved. */

const NUMBERS = [0, 1, -1, 7, 8, 63, 64, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2 ** 24, 2 ** 31 - 1, 2 ** 31];
const BIG_NUMBERS = [2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64, 1e-45, 1e-30, 0.5, 1e38, 1e300];
const TEXTS = [
  '',
  '__proto__',
  'constructor',
  'toString',
  '../x',
  '/',
  '\u0000',
  '\ud800',
  '\u202e',
  '🙂',
  'é',
  '%s',
  '.',
];
const VALUES = [null, true, false, [], {}, [[]], [{}], ...TEXTS, ...NUMBERS, ...BIG_NUMBERS];

/** Numbers that are always the same for a seed (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** `jsonAt`: where JSON begins in the target's inputs, a length of 8 bytes before it; undefined where they are no JSON. */
export class Mutator {
  #random;
  #jsonAt;
  #words;

  constructor(random, corpus, jsonAt) {
    this.#random = random;
    this.#jsonAt = jsonAt;
    const words = corpus.flatMap((bytes) => bytes.toString('latin1').match(/[\w.|<>%{}-]{2,30}|"[^"\n]{1,30}"/g) ?? []);
    this.#words = [...new Set(words), ...TEXTS].slice(0, 5000);
  }

  mutate(corpus) {
    let bytes = this.#one(corpus);
    for (let changes = 1 << this.#random(4); changes > 0; changes--) {
      const isValue = this.#jsonAt !== undefined && this.#random(2) === 0;
      bytes = (isValue && this.#changeJson(bytes, corpus)) || this.#changeBytes(bytes, corpus);
    }
    return bytes.subarray(0, 1 << 20);
  }

  #one(list) {
    return list[this.#random(list.length)];
  }

  #part(bytes, longest) {
    const start = this.#random(bytes.length + 1);
    return [start, Math.min(bytes.length, start + 1 + this.#random(longest))];
  }

  #changeBytes(bytes, corpus) {
    const [start, end] = this.#part(bytes, this.#random(8) === 0 ? 256 : 8);
    const put = (middle, to = end) => Buffer.concat([bytes.subarray(0, start), middle, bytes.subarray(to)]);
    switch (this.#random(8)) {
      case 0:
        return put(Buffer.from([this.#random(256)]), Math.min(start + 1, bytes.length));
      case 1:
        return put(Buffer.alloc(0));
      case 2:
        return put(
          Buffer.concat(Array(2 << this.#random(this.#random(20) === 0 ? 15 : 4)).fill(bytes.subarray(start, end))),
        );
      case 3:
        return this.#putInteger(Buffer.from(bytes));
      case 4: {
        const other = this.#one(corpus);
        return put(other.subarray(...this.#part(other, 512)), start);
      }
      case 5:
        return put(Buffer.from(this.#one(this.#words), 'latin1'), this.#random(2) ? start : end);
      case 6:
        return this.#changeNumber(bytes);
      default:
        return put(Buffer.from(Array.from({ length: 1 + this.#random(4) }, () => this.#random(256))), start);
    }
  }

  #putInteger(bytes) {
    const size = 1 << this.#random(4);
    if (bytes.length < size) return bytes;
    const value = BigInt.asUintN(size * 8, BigInt(Math.trunc(this.#one([...NUMBERS, ...BIG_NUMBERS.slice(0, 6)]))));
    const at = this.#random(bytes.length - size + 1);
    for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
    return bytes;
  }

  #changeNumber(bytes) {
    const text = bytes.toString('latin1');
    const places = [...text.matchAll(/-?\d+(\.\d+)?/g)];
    if (places.length === 0) return bytes;
    const { 0: number, index } = this.#one(places);
    const value = String(
      this.#one([...NUMBERS, ...BIG_NUMBERS, Number(number) + 1, Number(number) * 2, '1e999', '00']),
    );
    return Buffer.from(text.slice(0, index) + value + text.slice(index + number.length), 'latin1');
  }

  #changeJson(bytes, corpus) {
    const root = { value: this.#parse(bytes) };
    if (root.value === undefined) return undefined;
    const [holder, key] = this.#one(places(root));
    const other = { value: this.#parse(this.#one(corpus)) };
    const [from, name] = this.#one(places(other));
    const value = this.#random(2) ? this.#one(VALUES) : from[name];
    const action = this.#random(5);
    if (action === 0 && holder !== root) delete holder[key];
    else if (action === 1) holder[key] = Array(1 + this.#random(5)).fill(holder[key]);
    else if (action === 2 && !Array.isArray(holder[key]) && typeof holder[key] === 'object' && holder[key] !== null)
      holder[key][this.#one(this.#words).replaceAll('"', '')] = value;
    else holder[key] = value;
    const json = Buffer.from(JSON.stringify(root.value) ?? 'null');
    if (this.#jsonAt === 0) return json;
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([size, json, Buffer.alloc(this.#random(2) * 512)]);
  }

  #parse(bytes) {
    try {
      return JSON.parse(bytes.subarray(this.#jsonAt).toString());
    } catch {
      try {
        return JSON.parse(bytes.subarray(this.#jsonAt, this.#jsonAt + Number(bytes.readBigUInt64LE())).toString());
      } catch {
        return undefined;
      }
    }
  }
}

/** Every place of a value, as its holder and its key. */
function places(root) {
  const found = [[root, 'value']];
  for (let i = 0; i < found.length && found.length < 3000; i++) {
    const [holder, key] = found[i];
    const value = holder[key];
    if (typeof value !== 'object' || value === null) continue;
    for (const name of Object.keys(value).slice(0, 500)) found.push([value, name]);
  }
  return found;
}
