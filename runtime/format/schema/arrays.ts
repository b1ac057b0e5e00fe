/** Arrays of a schema: the items that it names by place, then others. */
import { choice, EMPTY, type Expression, NOTHING, repeat, sequence, shared } from '../expression.js';
import { anyValue, comma, items, list } from '../json_text.js';
import type { Conjunction } from './conjunction.js';
import { fail, isCount, isList, keyword, type Located, largest, pointerTo, schemaAt, smallest } from './located.js';
import type { Convert } from './objects.js';

const MOST_ITEMS = 10_000;

export function arraysOf(all: Conjunction, convert: Convert): Expression {
  const minimum = largest(all, 'minItems', isCount, 'an integer from 0');
  const maximum = smallest(all, 'maxItems', isCount, 'an integer from 0');
  for (const bound of [minimum, maximum])
    if (bound && bound.value > MOST_ITEMS) fail(bound.pointer, `a count of more than ${MOST_ITEMS} is not enforced`);
  const [least, most] = [minimum?.value ?? 0, maximum?.value ?? Number.POSITIVE_INFINITY];
  if (most < least) return NOTHING;
  const places = Math.max(...all.map((one) => prefixOf(one).length), 0);
  const from = (place: number): Expression => {
    const end = place >= least ? [EMPTY] : [];
    if (place >= most) return choice(...end);
    if (place === places && place === 0) return items(shared('item', valueAt(all, place, convert)), least, most);
    const one = sequence(...(place > 0 ? [comma] : []), valueAt(all, place, convert));
    if (place < places) return choice(...end, sequence(one, from(place + 1)));
    return repeat(shared('item', one), Math.max(least - place, 0), most - place);
  };
  return list('[', from(0), ']');
}

function valueAt(all: Conjunction, place: number, convert: Convert): Expression {
  const said = all.flatMap((one): Located[] => {
    const prefix = prefixOf(one);
    if (place < prefix.length) return [prefix[place]!];
    if (typeof one.schema === 'boolean' || !Object.hasOwn(one.schema, 'items')) return [];
    if (Array.isArray(one.schema.items))
      return fail(pointerTo(one.pointer, 'items'), 'items as a list is not enforced: prefixItems is');
    return [schemaAt(one, 'items')];
  });
  return said.length === 0 ? anyValue : convert(said);
}

function prefixOf(one: Located): Located[] {
  return (keyword(one, 'prefixItems', isList, 'a list of schemas') ?? []).map((_, i) =>
    schemaAt(one, 'prefixItems', i),
  );
}
