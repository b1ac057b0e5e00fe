/**
 * The text side of a folder that transformers saved: tokenizer.json, tokenizer_config.json, generation_config.json, and its chat
 * templates (folder_templates.ts).
 */
import { join } from 'node:path';
import { ModelFileError } from '../common/errors.js';
import { quote } from '../common/quote.js';
import { isObject, type JsonObject, readJsonFile } from '../files/json.js';
import { Metadata, type MetadataEntry } from '../files/metadata.js';
import { folderTemplates } from './folder_templates.js';
import { Fields } from './json/fields.js';
import { isId } from './json/ids.js';
import { type Pipeline, readPipeline } from './json/pipeline.js';
import type { Around } from './json/post_processor.js';
import type { OwnText, TextSource } from './text_source.js';
import { TokenType } from './vocabulary.js';

const MAX_BYTES = 1 << 28;
/** Ids beyond the vocabulary that a token may have: what was reserved and never used. */
const MOST_GAP = 1 << 16;

/** Errors: UnsupportedError names what of the tokenizer is not known; ModelFileError what is missing or damaged. */
export function folderTextSource(folder: string): TextSource {
  return new TokenizerFolder(folder).source();
}

class TokenizerFolder {
  readonly #path: string;
  readonly #settings: JsonObject;
  readonly #pipeline: Pipeline;
  readonly #tokens: readonly (string | undefined)[];

  constructor(private readonly folder: string) {
    this.#path = join(folder, 'tokenizer.json');
    const tokenizer = this.#read('tokenizer.json');
    if (tokenizer === undefined)
      throw new ModelFileError(
        folder,
        'folder',
        'expected a tokenizer.json for text, found none; token ids work without',
      );
    this.#settings = this.#read('tokenizer_config.json') ?? {};
    this.#pipeline = readPipeline(new Fields(this.#path, '', tokenizer));
    this.#tokens = this.#readTokens();
  }

  source(): TextSource {
    const entries = new Map<string, MetadataEntry>();
    for (const [name, template] of folderTemplates(this.folder, this.#settings)) {
      const key = name === 'default' ? 'tokenizer.chat_template' : `tokenizer.chat_template.${name}`;
      entries.set(key, { type: 'string', value: template });
    }
    return { path: this.folder, metadata: new Metadata(this.#path, entries), own: this.#own() };
  }

  #own(): OwnText {
    const { before, after } = this.#around();
    const role = (name: 'bos' | 'eos', around: readonly number[]) => this.#roleId(name) ?? one(around);
    const [bos, eos] = [role('bos', before), role('eos', after)];
    const unknown = this.#roleId('unk') ?? this.#pipeline.model.unknown;
    const roles = {
      ...(bos !== undefined && { bos }),
      ...(eos !== undefined && { eos }),
      ...(unknown !== undefined && { unknown }),
    };
    const ends = this.#endIds();
    return { pipeline: this.#pipeline, tokens: this.#tokens, types: this.#types(), roles, ends, before, after };
  }

  #read(name: string): JsonObject | undefined {
    return readJsonFile(join(this.folder, name), MAX_BYTES, { repeats: true });
  }

  #fail(key: string, problem: string): never {
    throw new ModelFileError(this.#path, `key ${quote(key)}`, problem);
  }

  /** By id, up to the vocab_size of config.json: the embedding may have rows that no token has. */
  #readTokens(): (string | undefined)[] {
    const { model, added } = this.#pipeline;
    const { vocab_size: rows } = this.#read('config.json') ?? {};
    const most = Math.max(isId(rows) ? rows : 0, model.ids.size + added.length) + MOST_GAP;
    const tokens: (string | undefined)[] = [];
    for (const [token, id] of [...model.ids, ...added.map(({ content, id }) => [content, id] as const)]) {
      if (id >= most) return this.#fail('model.vocab', `expected ids below ${most}, found ${id} for ${quote(token)}`);
      tokens[id] = token;
    }
    if (isId(rows) && rows > tokens.length) tokens.length = rows;
    return Array.from(tokens);
  }

  #types(): number[] {
    const added = new Map(this.#pipeline.added.map((token) => [token.id, token]));
    return this.#tokens.map((token, id) => {
      if (token === undefined) return TokenType.UNUSED;
      const { special } = added.get(id) ?? {};
      return special === undefined ? TokenType.NORMAL : special ? TokenType.CONTROL : TokenType.USER_DEFINED;
    });
  }

  /** The tokens around one text. */
  #around(): Around {
    const { around } = this.#pipeline;
    // What transformers does when it loads these classes, whatever the file says.
    if (!/^(Llama|CodeLlama|Gemma)Tokenizer/.test(`${this.#settings.tokenizer_class}`)) return around;
    const ids = (role: 'bos' | 'eos', from: readonly number[]): readonly number[] => {
      const adds = this.#settings[`add_${role}_token`];
      const id = this.#roleId(role);
      if (adds === true && id !== undefined) return [id];
      return adds === false ? [] : from;
    };
    return { before: ids('bos', around.before), after: ids('eos', around.after) };
  }

  /** bos_token and its like, of tokenizer_config.json or special_tokens_map.json. */
  #roleId(role: 'bos' | 'eos' | 'unk'): number | undefined {
    const key = `${role}_token`;
    const value = this.#settings[key] ?? this.#read('special_tokens_map.json')?.[key];
    const text = isObject(value) ? value.content : value;
    const id = typeof text === 'string' ? this.#tokens.indexOf(text) : -1;
    return id < 0 ? undefined : id;
  }

  /** eos_token_id of generation_config.json and config.json, a number or several. */
  #endIds(): number[] {
    return ['generation_config.json', 'config.json']
      .flatMap((name) => this.#read(name)?.eos_token_id ?? [])
      .filter((id): id is number => isId(id) && id < this.#tokens.length);
  }
}

const one = (ids: readonly number[]): number | undefined => (ids.length === 1 ? ids[0] : undefined);
