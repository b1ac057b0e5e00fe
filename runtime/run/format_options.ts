/** The options of a command line that say of which format the text is. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { CompileError } from '../common/errors.js';
import type { Format } from '../llm/index.js';

/** What {@link addFormatOptions} adds. */
export interface FormatFlags {
  readonly schema?: string;
  readonly grammar?: string;
  readonly regex?: string;
}

/** At most one of them. */
export function addFormatOptions(command: Command): Command {
  return command
    .optionsGroup('Format of the text, one of:')
    .addOption(
      new Option('--schema <file>', 'JSON that this JSON schema holds of').conflicts(['grammar', 'regex', 'ignoreEos']),
    )
    .addOption(
      new Option('--grammar <file>', "as this grammar of llama.cpp's (GBNF) says").conflicts(['regex', 'ignoreEos']),
    )
    .addOption(
      new Option('--regex <pattern>', 'what this regular expression matches as a whole').conflicts(['ignoreEos']),
    );
}

/** Errors: CompileError for a file that cannot be read, or is no JSON. */
export function formatOf({ schema, grammar, regex }: FormatFlags): Format | undefined {
  if (schema !== undefined) return { schema: readSchema(schema) };
  if (grammar !== undefined) return { grammar: read(grammar) };
  return regex === undefined ? undefined : { regex };
}

function readSchema(path: string): object {
  const text = read(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CompileError(`${path}: a JSON schema was expected, and it is no JSON: ${(error as Error).message}`);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CompileError(`${path} cannot be read: ${(error as Error).message}`);
  }
}
