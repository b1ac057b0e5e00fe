/** What a text is to be, as a caller says it. */
import { choice, Rule, text } from './expression.js';
import { FormatError } from './format_error.js';
import { gbnf } from './gbnf.js';
import { regex } from './regex.js';
import { schemaRule } from './schema/schema.js';

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
      /** One of these texts. */
      readonly choice: readonly string[];
    };

export const KINDS = ['schema', 'regex', 'grammar', 'choice'] as const;

/** Errors: FormatError. */
export function formatRule(format: Format): Rule {
  if ('schema' in format) return schemaRule(format.schema);
  if ('regex' in format)
    return new Rule(
      'regex',
      named('regex', () => regex(format.regex, { whole: true })),
    );
  if ('grammar' in format) return gbnf(format.grammar);
  if (format.choice.length === 0) throw new FormatError('a choice has at least one text');
  return new Rule('choice', choice(...format.choice.map((one) => text(one))));
}

function named<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof FormatError ? new FormatError(`the ${what}: ${error.message}`) : error;
  }
}

export const ANY_OBJECT: Format = { schema: { type: 'object' } };
