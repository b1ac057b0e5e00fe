/** What ajv found, in words and with the parameter at fault. */
import type { FastifySchemaValidationError } from 'fastify';
import { ApiError } from './errors.js';

/** With ajv's option `verbose`. */
interface Problem extends FastifySchemaValidationError {
  readonly data?: unknown;
  readonly parentSchema?: { readonly description?: string };
}

/** ajv reports the failures of each alternative, and at last that none of them fitted: that one is told. */
export function validationError(problems: readonly FastifySchemaValidationError[]): ApiError {
  const problem = problems.at(-1) as Problem;
  const path = pathOf(problem.instancePath);
  if (problem.keyword === 'required') {
    const param = join(path, String(problem.params.missingProperty));
    return new ApiError(400, `Missing required parameter: '${param}'.`, { param, code: 'missing_required_parameter' });
  }
  if (problem.keyword === 'additionalProperties') {
    const param = join(path, String(problem.params.additionalProperty)).slice(0, 100);
    return new ApiError(400, `Unrecognized request argument supplied: ${param}`, { param, code: 'unknown_parameter' });
  }
  const found = `found ${shown(problem.data)}`;
  if (path === '') return new ApiError(400, `The request body must be a JSON object, ${found}.`);
  const code = problem.keyword === 'type' || problem.keyword === 'anyOf' ? 'invalid_type' : 'invalid_value';
  return new ApiError(400, `Invalid '${path}': expected ${expected(problem)}, ${found}.`, { param: path, code });
}

function expected({ keyword, params, parentSchema, message }: Problem): string {
  const { type, limit, comparison, allowedValues } = params as Readonly<Record<string, unknown>>;
  switch (keyword) {
    case 'type':
      return [type].flat().join(' or ');
    case 'anyOf':
      return parentSchema?.description ?? 'another type';
    case 'enum':
      return `one of ${(allowedValues as string[]).join(', ')}`;
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
      return `a number ${comparison} ${limit}`;
    case 'minItems':
      return `at least ${limit} item${limit === 1 ? '' : 's'}`;
    default:
      return `a value that ${message}`;
  }
}

/** /messages/0/role: messages[0].role */
const pathOf = (pointer: string) =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : join(path, part)), '')
    .slice(0, 100);

const join = (path: string, name: string) => (path === '' ? name : `${path}.${name}`);

function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'string' && value.length > 40) return `a string of ${value.length} characters`;
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}
