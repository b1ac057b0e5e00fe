/** The chat page in a headless Chromium: what a person sees and does. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { LoadedModel } from '../../runtime/llm/model.js';
import { storyteller } from '../llm/support.js';
import { writtenModel } from '../llm/written_model.js';
import { ROOT } from '../support/artifacts.js';
import { scriptedModel } from './scripted_model.js';
import { closeServers, listen, until } from './support.js';

/** CHROMIUM, or where Debian's and Ubuntu's package `chromium` and Chrome's own packages put it, or playwright. */
const executable = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  chromium.executablePath(),
].find((path) => path !== undefined && existsSync(path));
if (executable === undefined)
  console.error(
    'No Chromium is here: the tests of the chat page are skipped. Install the package chromium, or set CHROMIUM.',
  );

const FLAGS = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
const MORE_FLAGS = ['--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];

describe.skipIf(executable === undefined)('the chat page', () => {
  const bundled = storyteller('serve-page');
  let model: LoadedModel;
  let browser: Browser;
  beforeAll(async () => {
    model = await bundled.load();
    // Its sandbox does not work for root, which continuous integration often is.
    browser = await chromium.launch({
      executablePath: executable!,
      chromiumSandbox: false,
      args: [...FLAGS, ...MORE_FLAGS],
    });
  });
  afterAll(() => browser?.close());
  closeServers();
  /** Errors that a page logged or threw, and what it asked other servers for. */
  let problems: string[] = [];
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    const found = problems;
    problems = [];
    expect(found).toEqual([]);
  });

  /** `allowed`: what it may log. */
  async function openPage(url: string, allowed: RegExp[] = []): Promise<Page> {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !allowed.some((known) => known.test(message.text())))
        problems.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(`${url}/`) && !request.url().startsWith('data:')) problems.push(request.url());
    });
    await page.goto(`${url}/`);
    return page;
  }

  const message = (page: Page) => page.getByRole('textbox', { name: /^Message/ });
  const answers = (page: Page) => page.getByRole('log').getByRole('listitem').filter({ hasText: 'Assistant' });
  const answerText = (page: Page, index: number) => answers(page).nth(index).locator('.content');

  async function setTemperature(page: Page, value: string): Promise<void> {
    await page.getByText('Settings').click();
    await page.getByLabel(/^Temperature/).fill(value);
    await page.getByText('Settings').click();
  }

  test('what a model thinks is folded, and kept with the chat', async () => {
    const templates = join(ROOT, 'test/fixtures/jinja/templates.json');
    const { template } = JSON.parse(readFileSync(templates, 'utf8')).families['qwen-3'];
    const thinking = await writtenModel({ template });
    thinking.says.push('<think>\nHm. <b>Well.\n</think>\n\nYes.');
    const { url } = await listen(thinking.model);
    const page = await openPage(url);
    await message(page).fill('Well?');
    await message(page).press('Enter');
    await answers(page).first().locator('small', { hasText: 'tokens' }).waitFor();
    for (const _ of ['as it came', 'as it was kept']) {
      expect((await answerText(page, 0).textContent())!.trim()).toBe('Yes.');
      const thought = answers(page).first().locator('.thought');
      expect(await thought.isVisible()).toBe(false);
      await answers(page).first().getByText('Thinking').click();
      expect(await thought.textContent()).toBe('Hm. <b>Well.');
      expect(await thought.isVisible()).toBe(true);
      await page.reload();
      await answers(page).first().waitFor();
    }
    await thinking.model.close();
  });

  test('answers, remembers, and starts anew', async () => {
    const { url } = await listen(model);
    const page = await openPage(url);
    await page.getByRole('heading', { name: 'storyteller-q8_0' }).waitFor();
    await setTemperature(page, '0');
    await message(page).fill('What is 3 plus 4?');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('tokens').last().waitFor({ state: 'visible' });
    await until(async () => (await answerText(page, 0).textContent())?.trim() === '3 plus 4 is 7.', 'the answer');
    await message(page).fill('What is 5 plus 2?');
    await message(page).press('Enter');
    await answers(page).nth(1).locator('small', { hasText: 'tokens' }).waitFor();
    const { text } = await model.generateChat([
      { role: 'user', content: 'What is 3 plus 4?' },
      { role: 'assistant', content: '3 plus 4 is 7.' },
      { role: 'user', content: 'What is 5 plus 2?' },
    ]).result;
    expect((await answerText(page, 1).textContent())!.trim()).toBe(text);
    await page.getByRole('button', { name: 'New chat' }).click();
    expect(await answers(page).count()).toBe(0);
    expect(await page.getByText('Write a message to begin.').isVisible()).toBe(true);
  });

  test('shows an answer while it is written, and stops it', async () => {
    let count = 0;
    const beforeToken = (_: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        count++;
        setTimeout(resolve, 20);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    const scripted = scriptedModel({ context: 100_000, beforeToken, token: 'word ' });
    const { url } = await listen(scripted);
    const page = await openPage(url);
    await message(page).fill('Go on');
    await message(page).press('Enter');
    await answerText(page, 0).filter({ hasText: 'word word word' }).waitFor();
    expect(scripted.activity.running).toBe(1);
    await page.getByRole('button', { name: 'Stop' }).click();
    await until(() => scripted.activity.running === 0, 'the slot to be free');
    await answers(page).nth(0).locator('small', { hasText: 'stopped' }).waitFor();
    const shown = await answerText(page, 0).textContent();
    expect(shown!.split(' ').length).toBeLessThan(count + 1);
    expect(await page.getByRole('button', { name: 'Send' }).isVisible()).toBe(true);
  });

  async function ask(page: Page, text: string): Promise<void> {
    await message(page).fill(text);
    await message(page).press('Enter');
  }

  /** A page on which one message was answered with this. */
  async function answeredWith(answer: string): Promise<Page> {
    const { url } = await listen(scriptedModel({ length: 1, token: answer }));
    const page = await openPage(url);
    await ask(page, 'Go on');
    await answers(page).nth(0).locator('small', { hasText: 'token' }).waitFor();
    return page;
  }

  test('what a model writes is markdown, and what a user writes is text', async () => {
    const answer =
      '# Sum\n\nIt is **7**, see [there](https://example.com/a).\n\n```js\nconst a = "<b>";\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n';
    const page = await answeredWith(answer);
    const content = answerText(page, 0);
    expect(await content.locator('h1').textContent()).toBe('Sum');
    expect(await content.locator('strong').textContent()).toBe('7');
    expect(await content.locator('td').allTextContents()).toEqual(['1', '2']);
    expect(await content.locator('pre').textContent()).toBe('const a = "<b>";\n');
    const link = content.getByRole('link', { name: 'there' });
    expect(await link.getAttribute('href')).toBe('https://example.com/a');
    expect(await link.getAttribute('rel')).toContain('noopener');
    await ask(page, '**no** <script>alert(2)</script>');
    await page.getByText('**no** <script>alert(2)</script>').first().waitFor();
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/markdown.png` });
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const clipboard = () => page.evaluate('navigator.clipboard.readText()');
    await content.getByRole('button', { name: 'Copy code' }).click();
    await content.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await clipboard()).toBe('const a = "<b>";\n');
    await answers(page).nth(0).getByRole('button', { name: 'Copy', exact: true }).click();
    await until(async () => (await clipboard()) === answer, 'the answer to be copied');
  });

  // Each would set window.hacked, or ask another server for something.
  const HOSTILE = [
    '<img src=x onerror="window.hacked=1"><b>bold</b>',
    '<script>window.hacked=1</script><script src="https://evil.example/x.js"></script>',
    '<svg onload="window.hacked=1"><iframe srcdoc="<script>parent.hacked=1</script>"></iframe></svg>',
    '<style>@import url(https://evil.example/x.css); body { background: url(https://evil.example/y) }</style>',
    '<form action="https://evil.example/"><button formaction="javascript:window.hacked=1">x</button></form>',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.hacked=1&gt;">',
    '<a href="javascript:window.hacked=1">x</a> <meta http-equiv="refresh" content="0;url=https://evil.example/">',
    '[x](javascript:window.hacked=1) [x](JaVaScRiPt&colon;window.hacked=1) [x](data:text/html,<script>1</script>)',
    '[x](<javascript:window.hacked=1>) [x](vbscript:x) [x]( java\nscript:window.hacked=1)',
    '![x](https://evil.example/pixel.png) ![y](javascript:window.hacked=1) ![z](x"onerror="window.hacked=1)',
    '[x](https://example.com/"onclick="window.hacked=1 "title\\"onmouseover=\\"window.hacked=1")',
    '```"><img/src=x/onerror=window.hacked=1>\ncode</code></pre><img src=x onerror=window.hacked=1>\n```',
    '`</code><img src=x onerror=window.hacked=1>` <!-- --><x onclick=window.hacked=1>&lt;img src=x onerror=window.hacked=1&gt;',
    '<https://evil.example/> https://evil.example/"onclick=window.hacked=1 <javascript:window.hacked=1>',
    `${'>'.repeat(5000)} deep ${'['.repeat(5000)}${'*a'.repeat(5000)}`,
  ];

  test('what a model writes runs nothing, and asks nobody for anything', async () => {
    const { url } = await listen(scriptedModel({ length: 1, token: HOSTILE.join('\n\n') }));
    const page = await openPage(url);
    await ask(page, 'Go on');
    await answers(page).nth(0).locator('small', { hasText: 'token' }).waitFor();
    const found = await page.evaluate(hostileParts);
    expect(found).toEqual({ elements: [], attributes: [], links: [] });
    for (const link of await answerText(page, 0).getByRole('link').all()) await link.hover();
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    await answerText(page, 0).getByText('<b>bold</b>').first().waitFor();
  });

  test('its policy alone would run nothing either', async () => {
    const { url } = await listen(scriptedModel());
    const page = await openPage(url, [/Content Security Policy|violates|TrustedHTML|Trusted Type/]);
    const thrown = await page.evaluate(`(() => {
      try { document.body.innerHTML = '<img src=x onerror="window.hacked=1">'; } catch (error) { return error.name; }
    })()`);
    expect(thrown).toBe('TypeError');
    const failed = page.waitForEvent('requestfailed');
    await page.evaluate(`(() => {
      const image = document.createElement('img');
      image.setAttribute('src', 'https://evil.example/pixel.png');
      document.body.append(image);
    })()`);
    expect((await failed).failure()?.errorText).toBe('csp');
    problems = []; // it was asked for, and blocked
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    const answer = await fetch(`${url}/page/app.js`);
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  });

  test('an empty answer shows itself, and can be asked for again', async () => {
    const script = { length: 0, token: 'words ' };
    const { url } = await listen(scriptedModel(script));
    const page = await openPage(url);
    await ask(page, 'Hello');
    await answers(page).nth(0).locator('small', { hasText: '(no text) the model ended its answer at once' }).waitFor();
    script.length = 30;
    await answers(page).nth(0).getByRole('button', { name: 'Try again' }).click();
    await answers(page)
      .nth(0)
      .locator('small', { hasText: /^30 tokens(, \d+\.\d tokens\/s)?$/ })
      .waitFor();
    expect(await answers(page).count()).toBe(1);
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(1);
  });

  test('a full context leaves the oldest turns out, and says so', async () => {
    const scripted = scriptedModel({ context: 400, length: 20 });
    const { url } = await listen(scripted);
    const page = await openPage(url, [/400/]);
    await page.getByText('Settings').click();
    await page.getByLabel(/^System/).fill('Be brief.');
    await page.getByText('Settings').click();
    for (const [i, letter] of ['a', 'b', 'c', 'd'].entries()) {
      await ask(page, letter.repeat(100));
      await answers(page).nth(i).locator('small', { hasText: '20 tokens' }).waitFor();
    }
    const last = String.fromCharCode(...scripted.prompts.at(-1)!);
    expect(last).toMatch(/^Be brief\./);
    expect(last).toMatch(/d{100}$/);
    expect(last).not.toContain('a');
    await page
      .getByRole('status')
      .filter({ hasText: /sees no more of the \d oldest messages/ })
      .waitFor();
    expect(await page.getByRole('log').getByRole('listitem').count()).toBe(8); // shown they are
    await ask(page, 'e'.repeat(600)); // alone it is too long
    await page.getByRole('alert').filter({ hasText: 'maximum context length is 400 tokens' }).waitFor();
    expect(await message(page).inputValue()).toBe('e'.repeat(600));
  });

  test('chats are there after a reload, until they are deleted', async () => {
    const { url } = await listen(scriptedModel({ length: 1, token: 'Yes.' }));
    const page = await openPage(url);
    await page.evaluate(`localStorage.setItem('realizar-chat-bad', '{"messages": [{"role": "evil"}]}')`);
    await ask(page, 'The first');
    await answerText(page, 0).filter({ hasText: 'Yes.' }).waitFor();
    await page.getByRole('button', { name: 'New chat' }).click();
    await ask(page, 'The second');
    await answerText(page, 0).filter({ hasText: 'Yes.' }).waitFor();
    await page.reload();
    await answerText(page, 0).filter({ hasText: 'Yes.' }).waitFor();
    expect(await page.getByRole('log').getByText('The second').isVisible()).toBe(true);
    await page.getByText('Chats', { exact: true }).click();
    await page.getByRole('button', { name: 'The first', exact: true }).click();
    await page.getByRole('log').getByText('The first').waitFor();
    await ask(page, 'More');
    await answerText(page, 1).filter({ hasText: 'Yes.' }).waitFor();
    await page.getByText('Chats', { exact: true }).click();
    await page.getByRole('button', { name: 'Delete The first' }).click();
    await page.getByText('Write a message to begin.').waitFor();
    await page.getByRole('button', { name: 'Delete The second' }).click();
    await page.reload();
    await page.getByText('Write a message to begin.').waitFor();
    expect(await page.getByText('Chats', { exact: true }).isVisible()).toBe(false);
  });

  test('keeps at most 50 chats, and works where nothing can be kept', async () => {
    const { url } = await listen(scriptedModel({ length: 1, token: 'Yes.' }));
    const page = await openPage(url);
    await page.evaluate(`for (let i = 0; i < 60; i++)
      localStorage.setItem('realizar-chat-' + i, JSON.stringify({ time: i, dropped: 0, messages: [{ role: 'user', content: 'q' + i }] }))`);
    await ask(page, 'Hello');
    await answerText(page, 0).filter({ hasText: 'Yes.' }).waitFor();
    const kept = () =>
      page.evaluate(`Object.keys(localStorage).filter((key) => key.startsWith('realizar-chat-')).length`);
    await until(async () => (await kept()) === 50, 'the oldest to make room');
    await page.evaluate(`Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }`);
    await ask(page, 'Once more');
    await answers(page).nth(1).locator('small', { hasText: 'not kept' }).waitFor();
  });

  test('the end stays in view until the reader scrolls up', async () => {
    const release: (() => void)[] = [];
    const beforeToken = (count: number) =>
      new Promise<void>((resolve) => (count % 40 < 39 ? resolve() : void release.push(resolve)));
    const { url } = await listen(scriptedModel({ length: 160, token: 'line\n\n', beforeToken }));
    const page = await openPage(url);
    const gap = () =>
      page.evaluate(
        `scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight`.replaceAll(
          'scroll.',
          `document.getElementById('scroll').`,
        ),
      ) as Promise<number>;
    const more = async (lines: number) => {
      await until(() => release.length > 0, 'the model to wait');
      release.shift()!();
      await until(async () => (await answerText(page, 0).locator('p').count()) >= lines, `${lines} lines`);
    };
    await ask(page, 'Go on');
    await until(async () => (await answerText(page, 0).locator('p').count()) >= 39, 'the first lines');
    await until(async () => (await gap()) < 2, 'the end to be in view');
    await page.locator('#scroll').hover();
    await page.mouse.wheel(0, -400);
    const toEnd = page.getByRole('button', { name: 'To the end' });
    await toEnd.waitFor();
    await more(79);
    expect(await gap()).toBeGreaterThan(400);
    await toEnd.click();
    await more(119);
    await until(async () => (await gap()) < 2, 'the end to be in view again');
    await more(159);
    await until(() => release.length > 0, 'the last one');
    release.shift()!();
    await answers(page).nth(0).locator('small', { hasText: '160 tokens' }).waitFor();
    await until(async () => (await gap()) < 2, 'the note below the answer to be in view');
  });

  test('fits on a narrow screen, and works by keyboard', async () => {
    const { url } = await listen(
      scriptedModel({ length: 1, token: `${'long'.repeat(100)}\n\n\`\`\`\n${'code '.repeat(80)}\n\`\`\`` }),
    );
    const page = await openPage(url);
    await page.setViewportSize({ width: 320, height: 560 });
    await page.keyboard.type('Hello'); // the message has the focus
    await page.keyboard.press('Enter');
    await answers(page).nth(0).locator('small', { hasText: 'token' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
    expect(await page.evaluate(`document.getElementById('scroll').scrollWidth`)).toBeLessThanOrEqual(320);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/narrow.png` });
    const names = await page.getByRole('button').evaluateAll((buttons) => buttons.map((button) => button.textContent));
    expect(names.every((name) => name !== '')).toBe(true);
  });

  test('says what the server says of an error, and gives the message back', async () => {
    const { url } = await listen(model);
    const page = await openPage(url, [/400/]);
    const long = 'story '.repeat(600);
    await message(page).fill(long);
    await message(page).press('Enter');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('maximum context length is 512 tokens');
    expect(await message(page).inputValue()).toBe(long.trim());
    expect(await answers(page).count()).toBe(0);
  });

  test('says so when the server is gone', async () => {
    const { url, app } = await listen(scriptedModel());
    const page = await openPage(url, [/ERR_CONNECTION_REFUSED/]);
    await page.getByRole('heading', { name: 'scripted' }).waitFor();
    await app.close();
    await message(page).fill('Hello');
    await message(page).press('Enter');
    await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor();
  });

  test('asks for the API key where the server does', async () => {
    const { url } = await listen(scriptedModel({ length: 2 }), { apiKey: 'sesame' });
    const page = await openPage(url, [/401/]);
    await page.getByRole('alert').filter({ hasText: 'needs an API key' }).waitFor();
    await page.getByLabel(/^API key/).fill('sesame');
    await page.getByLabel(/^API key/).press('Tab');
    await page.getByRole('heading', { name: 'scripted' }).waitFor();
    expect(await page.getByRole('alert').isVisible()).toBe(false);
    await message(page).fill('Hello');
    await message(page).press('Enter');
    await answerText(page, 0).filter({ hasText: 'xx' }).waitFor();
  });

  test.each(['light', 'dark'] as const)('can be read in %s', async (colorScheme) => {
    const { url } = await listen(scriptedModel({ length: 2 }));
    const page = await openPage(url);
    await page.emulateMedia({ colorScheme });
    await message(page).fill('Hello');
    await message(page).press('Enter');
    await answerText(page, 0).filter({ hasText: 'xx' }).waitFor();
    for (const selector of [
      'body',
      'li.user .content',
      'li.assistant .content',
      'li.assistant h2',
      'li.assistant small',
      'label',
      '#send',
    ])
      expect(await page.locator(selector).first().evaluate(contrast), selector).toBeGreaterThan(4.5);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${colorScheme}.png` });
  });
});

/** What of a model's text became more than text; runs in the page. */
function hostileParts() {
  const all = [...document.querySelectorAll('.content *')];
  const allowed =
    /^(p|br|hr|strong|em|del|code|pre|blockquote|ul|ol|li|h[1-6]|table|thead|tbody|tr|t[hd]|a|div|button)$/i;
  const attributes = all.flatMap(({ attributes }) => [...attributes].map(({ name }) => name));
  return {
    elements: all.map(({ localName }) => localName).filter((name) => !allowed.test(name)),
    attributes: attributes.filter((name) => !/^(class|type|href|target|rel|title|tabindex|start|align)$/.test(name)),
    links: all
      .map((element) => element.getAttribute('href') ?? 'https:')
      .filter((href) => !/^(https?|mailto):/.test(href)),
  };
}

// Of the page; the tests' own program knows no DOM.
interface PageNode {
  readonly localName: string;
  readonly attributes: Iterable<{ readonly name: string }>;
  getAttribute(name: string): string | null;
}
declare const document: { querySelectorAll(selector: string): Iterable<PageNode> };
interface PageElement {
  readonly parentElement: PageElement | null;
}
declare const getComputedStyle: (element: PageElement) => { readonly color: string; readonly backgroundColor: string };

/** WCAG's contrast of an element's text to the first background under it; runs in the page. */
function contrast(element: PageElement): number {
  const channels = (color: string) => color.match(/[\d.]+/g)!.map(Number);
  const luminance = (color: string) => {
    const [r, g, b] = channels(color)
      .slice(0, 3)
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  let under = element;
  while (channels(getComputedStyle(under).backgroundColor)[3] === 0) under = under.parentElement!;
  const [text, page] = [getComputedStyle(element).color, getComputedStyle(under).backgroundColor].map(luminance);
  return (Math.max(text!, page!) + 0.05) / (Math.min(text!, page!) + 0.05);
}
