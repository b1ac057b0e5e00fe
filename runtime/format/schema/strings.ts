/** Strings of a schema: their lengths, or a pattern, or a format. */
import { type Expression, NOTHING } from '../expression.js';
import { FormatError } from '../format_error.js';
import { anyString, inString, quoted } from '../json_text.js';
import { regex } from '../regex.js';
import type { Conjunction } from './conjunction.js';
import { fail, isCount, isText, keyword, largest, pointerTo, smallest } from './located.js';

const MOST_LENGTH = 100_000;

const DATE =
  '\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))';
const TIME = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)';
const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?';
const HOST = `${LABEL}(?:\\.${LABEL}){0,6}`;
const PATH = "[A-Za-z0-9._~!$&'()*+,;=:@-]*";
/** What is written for a format: texts that are of it, if not all. */
export const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  'date-time': `${DATE}T${TIME}`,
  uuid: '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}',
  ipv4: `(?:${BYTE}\\.){3}${BYTE}`,
  hostname: HOST,
  email: `[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+){0,8}@${LABEL}(?:\\.${LABEL}){1,5}`,
  uri: `[a-z][a-z0-9+.-]{0,20}://${HOST}(?::[1-9]\\d{0,3})?(?:/${PATH})*(?:\\?${PATH})?(?:#${PATH})?`,
};

/** Errors: FormatError where two of these are asked for together. */
export function stringsOf(all: Conjunction): Expression {
  const least = largest(all, 'minLength', isCount, 'an integer from 0');
  const most = smallest(all, 'maxLength', isCount, 'an integer from 0');
  const shapes = all.flatMap((one) =>
    (['pattern', 'format'] as const).flatMap((name) => {
      const value = keyword(one, name, isText, 'a text');
      return value === undefined ? [] : [{ name, value, pointer: pointerTo(one.pointer, name) }];
    }),
  );
  const [shape, other] = shapes;
  if (shape === undefined) {
    for (const bound of [least, most])
      if (bound && bound.value > MOST_LENGTH)
        fail(bound.pointer, `a length of more than ${MOST_LENGTH} is not enforced`);
    return (most?.value ?? Infinity) < (least?.value ?? 0) ? NOTHING : anyString(least?.value, most?.value);
  }
  if (other) fail(other.pointer, `${other.name} is not enforced beside another pattern or format`);
  for (const bound of [least, most])
    if (bound && !(bound === least && bound.value === 0))
      fail(bound.pointer, `a length is not enforced beside ${shape.name}: say it there, or leave one out`);
  const source = shape.name === 'pattern' ? shape.value : FORMATS[shape.value];
  if (source === undefined)
    return fail(
      shape.pointer,
      `the format ${JSON.stringify(shape.value)} is not enforced; ${Object.keys(FORMATS).join(', ')} are`,
    );
  try {
    return quoted(regex(source, { whole: shape.name === 'format', write: inString }));
  } catch (error) {
    if (error instanceof FormatError) return fail(shape.pointer, error.message);
    throw error;
  }
}
