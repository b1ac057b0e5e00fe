/** The chat templates of a folder that transformers saved: by name; "default" is the one for every use. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ModelFileError } from '../common/errors.js';
import { decodeUtf8 } from '../files/header_reader.js';
import { isObject, type Json, type JsonObject, readJsonFile } from '../files/json.js';
import { readSmallFile } from '../files/open_file.js';

const MAX_BYTES = 1 << 24;
/** More are no chat templates of one model. */
const MAX_TEMPLATES = 64;
const OTHERS = 'additional_chat_templates';

/**
 * As transformers reads them: chat_template.jinja and additional_chat_templates/NAME.jinja; where there is none, those of
 * tokenizer_config.json (`settings`); and last chat_template.json, where older processors keep theirs. Errors: ModelFileError.
 */
export function folderTemplates(folder: string, settings: JsonObject): Map<string, string> {
  const files = [...ownFile(folder), ...namedFiles(folder)];
  if (files.length > 0) return new Map(files);
  const configured = entries(settings.chat_template);
  if (configured.length > 0) return new Map(configured);
  const path = join(folder, 'chat_template.json');
  return new Map(entries(readJsonFile(path, MAX_BYTES, { repeats: true })?.chat_template));
}

function ownFile(folder: string): [string, string][] {
  const text = readText(join(folder, 'chat_template.jinja'));
  return text === undefined ? [] : [['default', text]];
}

function namedFiles(folder: string): [string, string][] {
  const path = join(folder, OTHERS);
  const names = listed(path).filter((name) => name.endsWith('.jinja') && name !== '.jinja');
  if (names.length > MAX_TEMPLATES)
    throw new ModelFileError(path, 'folder', `expected at most ${MAX_TEMPLATES} templates, found ${names.length}`);
  return names.sort().map((name) => [name.slice(0, -'.jinja'.length), readText(join(path, name)) ?? '']);
}

/** Names of what is in a folder; of what is no folder, none. */
function listed(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new ModelFileError(path, 'folder', `expected a folder that can be read: ${message}`);
  }
}

function readText(path: string): string | undefined {
  const bytes = readSmallFile(path, MAX_BYTES);
  if (bytes === undefined) return undefined;
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new ModelFileError(path, 'file', 'expected UTF-8, found bytes that are not');
  return text;
}

/** One text, or a list of names and texts. */
function entries(template: Json | undefined): [string, string][] {
  if (typeof template === 'string') return [['default', template]];
  if (!Array.isArray(template)) return [];
  return template.flatMap((entry: Json): [string, string][] => {
    const { name, template: text } = isObject(entry) ? entry : {};
    return typeof name === 'string' && typeof text === 'string' ? [[name, text]] : [];
  });
}
