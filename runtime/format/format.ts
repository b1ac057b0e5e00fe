/** What a text is to be, as a caller says it. */
import { choice, Rule, rule, sequence, text } from './expression.js';
import { FormatError } from './format_error.js';
import { gbnf } from './gbnf.js';
import { regex } from './regex.js';
import { schemaRule } from './schema/schema.js';
import { through } from './through.js';

/** One of these. */
export type Format =
  | {
      /** A JSON value that this JSON schema holds of. `{ type: 'object' }`: any object. */
      readonly schema: object | boolean;
    }
  | {
      /** A text that this regular expression of ECMAScript matches as a whole, with the flag u. */
      readonly regex: string;
    }
  | {
      /** A text of the rule `root` of this grammar, as llama.cpp writes them (GBNF). */
      readonly grammar: string;
    }
  | {
      /** One of these, texts or texts of these formats. */
      readonly choice: readonly (string | Format)[];
    }
  | {
      /** One after the other, texts or texts of these formats. */
      readonly parts: readonly (string | Format)[];
    }
  | {
      /** Any text that ends with this one, which comes once: what is thought before an answer, in `parts`. */
      readonly through: string;
    };

/** Whether it looks like one; whether a text can be held to it is a longer question. */
export function isFormat(value: unknown): value is Format {
  if (typeof value !== 'object' || value === null) return false;
  const [[kind, said] = [], other] = Object.entries(value);
  if (other !== undefined) return false;
  if (kind === 'schema')
    return typeof said === 'boolean' || (typeof said === 'object' && said !== null && !Array.isArray(said));
  if (kind === 'regex' || kind === 'grammar') return typeof said === 'string';
  if (kind === 'through') return typeof said === 'string' && said !== '';
  if (kind !== 'choice' && kind !== 'parts') return false;
  return Array.isArray(said) && said.length > 0 && said.every((one) => typeof one === 'string' || isFormat(one));
}

/** Errors: FormatError. */
export function formatRule(format: Format): Rule {
  if ('schema' in format) return schemaRule(format.schema);
  if ('regex' in format)
    return new Rule(
      'regex',
      named('regex', () => regex(format.regex, { whole: true })),
    );
  if ('grammar' in format) return gbnf(format.grammar);
  if ('through' in format) return through(format.through);
  const expressionOf = (one: string | Format) => (typeof one === 'string' ? text(one) : rule(formatRule(one)));
  if ('choice' in format) return new Rule('choice', choice(...format.choice.map(expressionOf)));
  return new Rule('parts', sequence(...format.parts.map(expressionOf)));
}

function named<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof FormatError ? new FormatError(`the ${what}: ${error.message}`) : error;
  }
}
