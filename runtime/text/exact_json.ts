/** JSON for a chat template: what JSON.parse would lose of it is kept, as Python keeps it. */
import { invalid } from '../addon/arguments.js';
import { type JsonValues, readJsonAs } from './json_reader.js';

/** A number as a text of JSON has it: to a chat template 1.0 is a float and 1 an int. JavaScript's numbers know no difference. */
export class JsonNumber {
  /** As it is written, "1.0". */
  readonly text: string;

  /** `text`: a number as JSON has it. Throws INVALID_ARGUMENT for another text. */
  constructor(text: string) {
    if (typeof text !== 'string' || !/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text))
      throw invalid('text', 'a number as JSON has it', text);
    this.text = text;
  }

  /** For JSON.stringify and arithmetic, which lose the difference. */
  valueOf(): number {
    return Number(this.text);
  }

  /** The same. */
  toJSON(): number {
    return this.valueOf();
  }
}

/**
 * JSON.parse for messages, tools and variables of a chat template, which sees Python's values. What JavaScript would lose comes
 * as something else: an object whose keys JavaScript would put in another order (those like "10" first) is a Map, a number that
 * it would write otherwise, such as 1.0 or an int from 2^53 on, a {@link JsonNumber}. Throws SyntaxError for what is no JSON, and
 * INVALID_ARGUMENT for JSON that is nested more than 500 deep.
 */
export function parseJson(text: string): unknown {
  JSON.parse(text);
  return readJsonAs(text, EXACT);
}

const EXACT: JsonValues<unknown> = {
  literal: (value) => value,
  text: (value) => value,
  number: (text) => {
    const value = Number(text);
    const isFloat = /[.eE]/.test(text);
    const isKept = isFloat ? Number.isFinite(value) && /[.e]/.test(`${value}`) : Number.isSafeInteger(value);
    return isKept ? value : new JsonNumber(text);
  },
  list: (items) => items,
  object: (entries) => {
    const ordered = new Map(entries);
    const object = Object.fromEntries(ordered);
    const keys = Object.keys(object);
    return [...ordered.keys()].every((key, i) => key === keys[i]) ? object : ordered;
  },
  fail: (problem) => invalid('text', problem.replace('expected ', ''), 'another text'),
};
