/** The post_processor of a tokenizer.json: the tokens around one text. */
import { isObject, kindOf } from '../../files/json.js';
import { type Fields, own } from './fields.js';
import { isId } from './ids.js';

export interface Around {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export function readPostProcessor(file: Fields): Around {
  return file.sequence('post_processor', 'processors').reduce<Around>(
    ({ before, after }, step) => {
      const outer = readStep(step);
      return { before: [...outer.before, ...before], after: [...after, ...outer.after] };
    },
    { before: [], after: [] },
  );
}

function readStep(step: Fields): Around {
  switch (step.get('type')) {
    case 'ByteLevel': // of offsets alone
      return { before: [], after: [] };
    case 'TemplateProcessing':
      return readTemplate(step);
    case 'BertProcessing':
    case 'RobertaProcessing':
      return { before: [pairId(step, 'cls')], after: [pairId(step, 'sep')] };
    default:
      return step.refuseStep();
  }
}

/** ["[CLS]", 101]. */
function pairId(step: Fields, key: string): number {
  const value = step.get(key);
  const [, id] = Array.isArray(value) ? value : [];
  return isId(id) ? id : step.fail(key, `expected a token and its id, found ${kindOf(value)}`);
}

function readTemplate(step: Fields): Around {
  const single = step.get('single');
  if (!Array.isArray(single)) return step.fail('single', `expected a list, found ${kindOf(single)}`);
  const [before, after]: [number[], number[]] = [[], []];
  let texts = 0;
  for (const part of single) {
    const { Sequence: text, SpecialToken: token } = isObject(part) ? part : {};
    if (isObject(text) && text.id === 'A') texts++;
    else if (isObject(token)) (texts === 0 ? before : after).push(...specialIds(step, token.id));
    else step.fail('single', `expected the text A and tokens, found ${kindOf(part)}`);
  }
  if (texts !== 1) step.refuseStep(`its template has the text ${texts} times`);
  return { before, after };
}

function specialIds(step: Fields, name: unknown): readonly number[] {
  const tokens = step.get('special_tokens');
  const known = isObject(tokens) && typeof name === 'string' ? own(tokens, name) : undefined;
  const ids = isObject(known) && Array.isArray(known.ids) ? known.ids : [];
  if (ids.length > 0 && ids.every(isId)) return ids;
  return step.fail('special_tokens', `expected the ids of ${kindOf(name as string)}, found none`);
}
