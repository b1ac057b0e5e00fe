/** The module of the process that renders chat templates (template_process.ts): a line of JSON in, a line of JSON out. */
import { createInterface } from 'node:readline';
import { JinjaError } from './jinja/errors.js';
import { readJson } from './jinja/json.js';
import { Template } from './jinja/template.js';
import { type Dict, isText, plain } from './jinja/values.js';
import type { Outcome } from './template_process.js';

const known = new Map<string, Template>();

function parsed(source: string): Template {
  const template = known.get(source) ?? new Template(source);
  known.set(source, template);
  return template;
}

function attempt<T>(what: string, act: () => T): { value: T } | { failed: string } {
  try {
    return { value: act() };
  } catch (error) {
    if (!(error instanceof JinjaError)) throw error;
    const { kind, line, message } = error;
    return {
      failed: `${what}: ${line === undefined ? '' : `line ${line}: `}${kind}: ${message.slice(0, MAX_MESSAGE)}`,
    };
  }
}

/** Characters of what went wrong, which may quote the template. */
const MAX_MESSAGE = 1000;

function answer(line: string): Outcome {
  const read = attempt('expected messages and variables that are JSON', () => readJson(line));
  if ('failed' in read) return read;
  const request = read.value as Dict;
  const source = request.get('template')!;
  const template = attempt('expected Jinja that can be parsed', () => parsed(isText(source) ? plain(source) : ''));
  if ('failed' in template) return template;
  const limit = Number(request.get('limit'));
  const text = attempt('it ended with an error', () => template.value.render(request.get('variables') as Dict, limit));
  return 'failed' in text ? text : { text: text.value };
}

const write = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
createInterface({ input: process.stdin }).on('line', (line) => write(answer(line)));
write('ready');
