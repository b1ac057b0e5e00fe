/** `tools` and `tool_choice` as JSON schemas. */
import { boolean, nullable, type Schema } from './schema_parts.js';

/** More than any API allows. */
const name: Schema = { type: 'string', minLength: 1, maxLength: 256 };

export const tools: Schema = nullable('array', {
  items: {
    type: 'object',
    required: ['type', 'function'],
    properties: {
      type: { enum: ['function'] },
      function: {
        type: 'object',
        required: ['name'],
        properties: {
          name,
          description: nullable('string'),
          parameters: nullable('object'),
          strict: boolean,
        },
      },
    },
  },
});

export const toolChoice: Schema = {
  description: '"auto", "none", "required", or an object that names a function',
  anyOf: [
    { enum: ['auto', 'none', 'required', null] },
    {
      type: 'object',
      required: ['type', 'function'],
      properties: {
        type: { enum: ['function'] },
        function: { type: 'object', required: ['name'], properties: { name } },
      },
    },
    { type: 'object', required: ['type', 'allowed_tools'], properties: { type: { enum: ['allowed_tools'] } } },
  ],
};
