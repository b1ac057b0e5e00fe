/** Parameters that ask for a format of the answer. */
import { nullable, type Schema } from './schema_parts.js';

/** What asks for a format of the answer. */
export interface FormatBody {
  readonly response_format?: {
    readonly type: 'text' | 'json_object' | 'json_schema';
    readonly schema?: object | boolean | null;
    readonly json_schema?: { readonly schema?: object | boolean | null } | null;
  } | null;
  readonly json_schema?: object | boolean | null;
  readonly grammar?: string | null;
  readonly guided_json?: object | boolean | string | null;
  readonly guided_regex?: string | null;
  readonly guided_choice?: readonly string[] | null;
  readonly guided_grammar?: string | null;
  readonly structured_outputs?: Readonly<Record<string, unknown>> | null;
}

const schema: Schema = {
  description: 'a JSON schema',
  anyOf: [{ type: 'object' }, { type: 'boolean' }, { type: 'null' }],
};

/** Schemas of the parameters, by name. */
export const FORMAT_FIELDS: Readonly<Record<keyof FormatBody, Schema>> = {
  response_format: nullable('object', {
    required: ['type'],
    properties: {
      type: { enum: ['text', 'json_object', 'json_schema'] },
      schema,
      json_schema: nullable('object', {
        required: ['schema'],
        properties: { schema, name: nullable('string'), description: nullable('string'), strict: nullable('boolean') },
      }),
    },
  }),
  json_schema: schema,
  grammar: nullable('string'),
  guided_json: {
    description: 'a JSON schema, or one as text',
    anyOf: [...(schema.anyOf as Schema[]), { type: 'string' }],
  },
  guided_regex: nullable('string'),
  guided_choice: nullable('array', { items: { type: 'string' } }),
  guided_grammar: nullable('string'),
  structured_outputs: nullable('object'),
};
