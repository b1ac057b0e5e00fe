/** What callers give a template, as a text of JSON. */
import { JsonNumber } from './exact_json.js';
import { valueError } from './jinja/errors.js';

/** How deep it may be nested. */
const MAX_DEPTH = 400;

/**
 * JSON of a value, with all of its texts changed, those that name things included. A Map is an object whose keys keep their order:
 * JavaScript's own objects put keys like "10" first. Errors: JinjaError for what is nested too deeply.
 */
export function templateJson(value: unknown, change: (text: string) => string, depth = 0): string {
  if (depth > MAX_DEPTH) throw valueError(`expected messages, tools and variables nested at most ${MAX_DEPTH} deep`);
  if (typeof value === 'string') return JSON.stringify(change(value));
  if (value instanceof JsonNumber) return value.text;
  const inner = (part: unknown) => templateJson(part, change, depth + 1);
  if (Array.isArray(value)) return `[${value.map((item) => (isLeftOut(item) ? 'null' : inner(item))).join(',')}]`;
  if (typeof value !== 'object' || value === null) return isLeftOut(value) ? 'null' : scalar(value);
  if (!(value instanceof Map) && 'toJSON' in value && typeof value.toJSON === 'function') return inner(value.toJSON());
  const entries = [...(value instanceof Map ? value : Object.entries(value))].filter(([, item]) => !isLeftOut(item));
  return `{${entries.map(([key, item]) => `${JSON.stringify(change(String(key)))}:${inner(item)}`).join(',')}}`;
}

/** As JSON.stringify leaves it out. */
const isLeftOut = (value: unknown): boolean =>
  value === undefined || typeof value === 'function' || typeof value === 'symbol';

/** A bigint is an int of any size. */
const scalar = (value: unknown): string => (typeof value === 'bigint' ? value.toString() : JSON.stringify(value));
