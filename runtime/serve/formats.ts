/** What of a body says of which format the answer is to be: OpenAI's, llama.cpp's and vLLM's ways to say it. */
import { RealizarError } from '../addon/errors.js';
import type { Format, GenerateOptions } from '../llm/index.js';
import { ApiError, unsupported } from './errors.js';
import type { ServedModel } from './options.js';
import type { SamplingBody } from './schemas.js';

/** A format, and which parameter asks for it. */
interface Asked {
  readonly param: string;
  readonly format: Format;
}

const ANY_OBJECT: Format = { schema: { type: 'object' } };
/** Errors: 400 where parameters ask for different things, or for what no format is. */
function askedOf(body: SamplingBody): Asked | undefined {
  const all = [...ofResponseFormat(body), ...ofLlamaCpp(body), ...ofVllm(body)];
  const [first, other] = all;
  if (first && other)
    throw new ApiError(400, `Set ${first.param} or ${other.param}, not both: an answer has one format.`, {
      ...{ param: other.param, code: 'invalid_value' },
    });
  if (first && body.ignore_eos)
    throw new ApiError(
      400,
      `Invalid 'ignore_eos': expected false beside ${first.param}, which says where the answer ends.`,
      {
        ...{ param: 'ignore_eos', code: 'invalid_value' },
      },
    );
  return first;
}

function ofResponseFormat({ response_format: given }: SamplingBody): Asked[] {
  if (given == null || given.type === 'text') return [];
  if (given.type === 'json_object')
    return [
      given.schema == null
        ? { param: 'response_format', format: ANY_OBJECT }
        : { param: 'response_format.schema', format: { schema: given.schema } },
    ];
  const asked = given.json_schema?.schema ?? given.schema;
  const param =
    given.json_schema == null && given.schema != null ? 'response_format.schema' : 'response_format.json_schema.schema';
  if (asked == null)
    throw new ApiError(400, `Missing required parameter: '${param}'.`, { param, code: 'missing_required_parameter' });
  return [{ param, format: { schema: asked } }];
}

function ofLlamaCpp({ json_schema, grammar }: SamplingBody): Asked[] {
  return [
    ...(json_schema == null ? [] : [{ param: 'json_schema', format: { schema: json_schema } }]),
    ...(grammar ? [{ param: 'grammar', format: { grammar } }] : []),
  ];
}

function ofVllm(body: SamplingBody): Asked[] {
  const { guided_json: json, guided_regex: regex, guided_choice: choice, guided_grammar: grammar } = body;
  const guided = ofParts({ json, regex, choice, grammar }, (name) => `guided_${name}`);
  return [...guided, ...ofParts(body.structured_outputs ?? {}, (name) => `structured_outputs.${name}`)];
}

/** `param`: what a part is called. */
function ofParts(parts: Readonly<Record<string, unknown>>, param: (name: string) => string): Asked[] {
  return Object.entries(parts).flatMap(([name, value]): Asked[] => {
    if (value == null || value === '' || value === false || (Array.isArray(value) && value.length === 0)) return [];
    const at = param(name);
    if (name === 'json') return [{ param: at, format: { schema: schemaOf(value, at) } }];
    if (name === 'json_object' && value === true) return [{ param: at, format: ANY_OBJECT }];
    if (name === 'regex' && typeof value === 'string') return [{ param: at, format: { regex: value } }];
    if (name === 'grammar' && typeof value === 'string') return [{ param: at, format: { grammar: value } }];
    if (name === 'choice' && isTexts(value)) return [{ param: at, format: { choice: value } }];
    throw unsupported(at, 'Of structured outputs this server has json, json_object, regex, grammar and choice.');
  });
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((text) => typeof text === 'string');

/** vLLM takes a schema as text, too. */
function schemaOf(value: unknown, param: string): object | boolean {
  let read = value;
  try {
    if (typeof value === 'string') read = JSON.parse(value);
  } catch (error) {
    throw invalid(param, `no JSON: ${(error as Error).message}`);
  }
  if ((typeof read === 'object' && read !== null && !Array.isArray(read)) || typeof read === 'boolean') return read;
  throw invalid(param, 'a JSON schema is an object, true or false');
}

/** What the options of an answer have of this. Errors: 400 that names what cannot be enforced, and where it is. */
export async function formatOptions(model: ServedModel, body: SamplingBody): Promise<Pick<GenerateOptions, 'format'>> {
  const asked = askedOf(body);
  if (!asked) return {};
  const { param, format } = asked;
  try {
    await model.checkFormat(format);
  } catch (error) {
    throw error instanceof RealizarError && error.statusName === 'INVALID_ARGUMENT'
      ? invalid(param, error.message)
      : error;
  }
  return { format };
}

const invalid = (param: string, why: string) =>
  new ApiError(400, `Invalid '${param}': ${why}.`, { param, code: 'invalid_value' });
