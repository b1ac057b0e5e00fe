/** The pre_tokenizer of a tokenizer.json, whose steps are patterns of the tokenizers library, as splitters. */
import { UnsupportedError } from '../../compiler/errors.js';
import { quote } from '../../compiler/model/quote.js';
import { isObject, type Json, type JsonObject, kindOf } from '../../compiler/model/safetensors/json.js';
import { DIGIT, GPT2_WORDS, pattern, type Splitter } from './pre_tokenizers.js';

/** Steps in order: a sequence is what is in it. */
export function stepsOf(value: Json | undefined, list: string): JsonObject[] {
  if (!isObject(value)) return [];
  const steps = value[list];
  return value.type === 'Sequence' && Array.isArray(steps) ? steps.flatMap((step) => stepsOf(step, list)) : [value];
}

/** Of byte-level vocabularies. Errors: UnsupportedError names a step or a pattern that is not known. */
export function splittersOf(path: string, normalizer: Json | undefined, preTokenizer: Json | undefined): Splitter[] {
  const refuse = (what: string, step: JsonObject): never => {
    throw new UnsupportedError(path, `text with this ${what}`, `${quote(JSON.stringify(step))} is not known`);
  };
  const normalizing = stepsOf(normalizer, 'normalizers').map((step): Splitter => {
    const { type } = step;
    if (type === 'NFC' || type === 'NFD' || type === 'NFKC' || type === 'NFKD') return (text) => [text.normalize(type)];
    return refuse('normalizer', step);
  });
  const splitting = stepsOf(preTokenizer, 'pretokenizers').flatMap((step): Splitter[] => {
    switch (step.type) {
      case 'Split':
        return [splitterOf(path, step)];
      case 'Digits':
        return [step.individual_digits === true ? pattern(DIGIT) : pattern(`${DIGIT}+`)];
      case 'ByteLevel':
        if (step.add_prefix_space === true) return refuse('pre-tokenizer', step);
        return step.use_regex === false ? [] : [pattern(GPT2_WORDS)];
      default:
        return refuse('pre-tokenizer', step);
    }
  });
  return [...normalizing, ...splitting];
}

function splitterOf(path: string, step: JsonObject): Splitter {
  const { behavior, invert } = step;
  const expression = expressionOf(path, step.pattern);
  // What lies between matches stays in the one; of the other, only matches stay.
  if (behavior === 'Isolated') return expression;
  if (behavior === 'Removed' && invert === true) return (text) => text.match(expression) ?? [];
  const shown = quote(JSON.stringify({ behavior, invert }));
  throw new UnsupportedError(path, 'text with this pre-tokenizer', `a split with ${shown} is not known`);
}

function expressionOf(path: string, value: Json | undefined): RegExp {
  const { Regex: regex, String: text } = isObject(value) ? value : {};
  if (typeof text === 'string') return pattern(text.replace(/[$(-+./?[-^{|}]/g, '\\$&'));
  try {
    if (typeof regex === 'string') return pattern(translate(regex));
  } catch {
    // A pattern that JavaScript cannot express.
  }
  throw new UnsupportedError(path, 'text with this pre-tokenizer', `the pattern ${kindOf(regex)} is not known`);
}

/** From the library's dialect: groups whose letters have no case, and escapes that mean the character itself. */
function translate(regex: string): string {
  const caseless = regex.replace(/\(\?i:((?:[^()\\]|\\.)*)\)/g, (_, inner: string) => {
    const both = inner.replace(/\\.|[a-zA-Z]/g, (part) =>
      part.length > 1 ? part : `[${part.toLowerCase()}${part.toUpperCase()}]`,
    );
    return `(?:${both})`;
  });
  return caseless.replace(/\\(['"#%&,:;<=>@_`~ !])/g, '$1');
}
