/** Numbers of a schema, between its bounds. */
import type { Expression } from '../expression.js';
import { FormatError } from '../format_error.js';
import { anyInteger, anyNumber } from '../json_text.js';
import { type Bounds, integers, numbers } from '../number_range.js';
import type { Conjunction } from './conjunction.js';
import { fail, isNumber, largest, smallest } from './located.js';

export interface NumberBounds extends Bounds {
  /** Of a keyword that bounds them; undefined where none does. */
  readonly pointer: string | undefined;
}

export function boundsOf(all: Conjunction): NumberBounds {
  const low = largest(all, 'minimum', isNumber, 'a number');
  const high = smallest(all, 'maximum', isNumber, 'a number');
  const over = largest(all, 'exclusiveMinimum', isNumber, 'a number');
  const under = smallest(all, 'exclusiveMaximum', isNumber, 'a number');
  const above = over !== undefined && over.value >= (low?.value ?? Number.NEGATIVE_INFINITY);
  const below = under !== undefined && under.value <= (high?.value ?? Number.POSITIVE_INFINITY);
  return {
    least: (above ? over : low)?.value ?? Number.NEGATIVE_INFINITY,
    most: (below ? under : high)?.value ?? Number.POSITIVE_INFINITY,
    above,
    below,
    pointer: (low ?? high ?? over ?? under)?.pointer,
  };
}

export const isWithin = (value: number, { least, most, above, below }: Bounds): boolean =>
  (above ? value > least : value >= least) && (below ? value < most : value <= most);

/** isWhole: integers alone. Errors: FormatError for bounds that cannot be kept to. */
export function numbersOf(all: Conjunction, isWhole: boolean): Expression {
  const bounds = boundsOf(all);
  if (bounds.pointer === undefined) return isWhole ? anyInteger : anyNumber;
  try {
    return isWhole ? integers(bounds) : numbers(bounds);
  } catch (error) {
    if (error instanceof FormatError) return fail(bounds.pointer, error.message);
    throw error;
  }
}
