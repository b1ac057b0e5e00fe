/** Values of options. An invalid one is wrong usage, exit code 2. */
import { InvalidArgumentError } from 'commander';

/** A whole number. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number ${range(least, most)}`);
  };
}

/** Whole numbers with commas between them. */
export function integers(least: number, most: number): (text: string) => number[] {
  return (text) => text.split(',').map(integer(least, most));
}

/** Decimals, exponents allowed. */
export function number(least: number, most = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = decimal(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a number ${range(least, most)}`);
  };
}

const UNITS = ['', 'K', 'M', 'G', 'T'];

/** Bytes: a number, with K, M, G or T for powers of 1024. */
export function bytes(text: string): number {
  const [, count, unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?)([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  const value = Math.floor(Number(count) * 1024 ** UNITS.indexOf(unit.toUpperCase()));
  if (value >= 1 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw new InvalidArgumentError('expected bytes, as in 8G, 512M or 1073741824');
}

/** 64 bits; a bigint where a number would not be exact. */
export function seed(text: string): number | bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
  if (value < 0n || value >= 1n << 64n) throw new InvalidArgumentError('expected a whole number from 0 to 2^64 - 1');
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** A token id and what is added to its logit; -inf bans it. */
export function logitBias(text: string): readonly [token: number, bias: number] {
  const [, token, value] = /^(\d{1,10})=(.+)$/.exec(text) ?? [];
  const bias = value === '-inf' ? Number.NEGATIVE_INFINITY : decimal(value ?? '');
  if (token !== undefined && !Number.isNaN(bias)) return [Number(token), bias];
  throw new InvalidArgumentError('expected a token id and a number or -inf, as in 15=-2.5');
}

function decimal(text: string): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : Number.NaN;
}

function range(least: number, most: number): string {
  return most >= Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`;
}
