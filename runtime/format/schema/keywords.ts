/** Keywords of JSON schema: those that are enforced, those that say nothing about a value, and those that are refused. */

/** docs/format.md lists them, and a test holds it to this. */
export const ENFORCED = [
  ...['type', 'enum', 'const'],
  ...['properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties'],
  ...['items', 'prefixItems', 'minItems', 'maxItems'],
  ...['minLength', 'maxLength', 'pattern', 'format'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  ...['anyOf', 'oneOf', 'allOf', '$ref'],
] as const;

/** They say nothing about a value, or hold what others refer to. */
export const ANNOTATIONS = [
  ...['title', 'description', 'default', 'examples', 'example', 'deprecated', 'readOnly', 'writeOnly', '$comment'],
  ...['$schema', '$defs', 'definitions', 'contentEncoding', 'contentMediaType', 'contentSchema'],
] as const;

const KNOWN: ReadonlySet<string> = new Set([...ENFORCED, ...ANNOTATIONS]);

/** Names that begin so are of other programs. */
const OTHERS = /^x-/;

export const isKnown = (keyword: string): boolean => KNOWN.has(keyword) || OTHERS.test(keyword);
