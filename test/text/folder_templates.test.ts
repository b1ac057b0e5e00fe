/** Chat templates beside a folder's tokenizer, and which of several is taken: as transformers reads and chooses them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ChatOptions, ChatTemplate } from '../../runtime/text/chat_template.js';
import { folderTemplates } from '../../runtime/text/folder_templates.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { str } from '../support/gguf_writer.js';
import { sentencePiece } from './vocabularies.js';

const scratch = mkdtempSync(join(tmpdir(), 'realizar-templates-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function folder(files: Readonly<Record<string, string | Buffer>>): string {
  const path = mkdtempSync(join(scratch, 'folder-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}
const LISTED = [{ name: 'default', template: 'listed' }, { name: 'rag', template: 'documents' }, { name: 7 }, 'x'];
const LEGACY = JSON.stringify({ chat_template: 'legacy' });

describe('files', () => {
  it.each([
    ['chat_template.jinja', { 'chat_template.jinja': 'own', 'chat_template.json': LEGACY }, LISTED, { default: 'own' }],
    [
      'chat_template.jinja and additional_chat_templates',
      {
        'chat_template.jinja': 'own',
        'additional_chat_templates/tool_use.jinja': 'tools',
        'additional_chat_templates/rag.jinja': 'r',
        'additional_chat_templates/README.md': 'none',
      },
      'configured',
      { default: 'own', rag: 'r', tool_use: 'tools' },
    ],
    ['additional_chat_templates alone', { 'additional_chat_templates/tool_use.jinja': 't' }, 'x', { tool_use: 't' }],
    ['a text in tokenizer_config.json', { 'chat_template.json': LEGACY }, 'configured', { default: 'configured' }],
    ['a list in tokenizer_config.json', {}, LISTED, { default: 'listed', rag: 'documents' }],
    ['chat_template.json', { 'chat_template.json': LEGACY }, undefined, { default: 'legacy' }],
    ['chat_template.json without one', { 'chat_template.json': '{}' }, undefined, {}],
    ['a file in place of the folder', { additional_chat_templates: 'x' }, undefined, {}],
    ['none', {}, null, {}],
  ])('%s', (_name, files, configured, expected) => {
    const settings = configured === undefined ? {} : { chat_template: configured };
    expect(Object.fromEntries(folderTemplates(folder(files as never), settings as never))).toEqual(expected);
  });

  it('are regular files of text', () => {
    const path = folder({ 'additional_chat_templates/a.jinja': 'a' });
    const inside = (name: string) => join(path, name);
    execFileSync('mkfifo', [inside('pipe')]);
    for (const name of ['chat_template.jinja', 'additional_chat_templates/b.jinja', 'chat_template.json']) {
      const own = folder({});
      mkdirSync(dirname(join(own, name)), { recursive: true });
      for (const [target, problem] of [
        [inside('pipe'), /regular file, found a pipe/],
        ['/dev/zero', /regular file, found a device/],
        [path, /regular file, found a folder/],
      ] as const) {
        symlinkSync(target, join(own, name));
        expect(() => folderTemplates(own, {})).toThrow(problem);
        rmSync(join(own, name));
      }
      symlinkSync(inside('additional_chat_templates/a.jinja'), join(own, name)); // caches link to their files
      if (name.endsWith('.jinja')) expect([...folderTemplates(own, {}).values()]).toEqual(['a']);
      else expect(() => folderTemplates(own, {})).toThrow(/expected JSON/);
    }
    expect(() => folderTemplates(folder({ 'chat_template.jinja': Buffer.of(0xff) }), {})).toThrow(/expected UTF-8/);
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`additional_chat_templates/${i}.jinja`, '']));
    expect(() => folderTemplates(folder(many), {})).toThrow(/at most 64 templates, found 65/);
  });
});

describe('of several templates', () => {
  const open = (templates: Readonly<Record<string, string>>, how: { name?: string } = {}) => {
    const entries = Object.entries(templates).map(([key, text]) => [`tokenizer.chat_template${key}`, str(text)]);
    const file = sentencePiece([['<|im_end|>', 0, 'control']], Object.fromEntries(entries));
    return { file, chat: () => new ChatTemplate(file, new Tokenizer(file), how) };
  };
  const shown = async (templates: Readonly<Record<string, string>>, options: ChatOptions, name?: string) => {
    const chat = open(templates, name === undefined ? {} : { name }).chat();
    return chat.render([], { deadline: 60_000, ...options }).finally(() => chat.close());
  };
  const tools = [{ name: 'f' }];
  const ALL = { '': 'default', '.tool_use': 'tools', '.rag': 'documents' };

  it('tools choose tool_use, all else the default, and a name its own', async () => {
    expect(await shown(ALL, {})).toBe('default');
    expect(await shown(ALL, { tools })).toBe('tools');
    expect(await shown(ALL, { variables: { documents: [{ title: 'a' }] } })).toBe('default');
    expect(await shown(ALL, { tools }, 'rag')).toBe('documents');
    expect(await shown(ALL, { tools }, 'default')).toBe('default');
    expect(await shown({ '': 'default', '.rag': 'r' }, { tools })).toBe('default');
  });

  it('without a default', async () => {
    expect(await shown({ '.tool_use': 'tools' }, { tools })).toBe('tools');
    await expect(shown({ '.tool_use': 'tools' }, {})).rejects.toThrow(/expected tools: .*"tool_use"/);
    expect(ChatTemplate.isIn(open({ '.rag': 'r' }).file)).toBe(false);
    expect(await shown({ '.rag': 'r' }, {}, 'rag')).toBe('r');
  });

  it('a name that it has not is refused with those that it has', () => {
    expect(open(ALL, { name: 'rga' }).chat).toThrow(/"rga".*"default", "tool_use", "rag"/);
    expect(open({}, { name: 'rag' }).chat).toThrow(/"rag".*has no templates/);
    expect(open({ '.rag': ' ' }, { name: 'rag' }).chat).toThrow(/"rag"/);
  });
});
