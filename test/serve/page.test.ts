/** The chat page in a headless Chromium: what a person sees and does. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { LanguageModel } from '../../runtime/index.js';
import { storyteller } from '../llm/support.js';
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
  let model: LanguageModel;
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
    expect(problems).toEqual([]);
    problems = [];
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
  const answerText = (page: Page, index: number) => answers(page).nth(index).locator('p');

  async function setTemperature(page: Page, value: string): Promise<void> {
    await page.getByText('Settings').click();
    await page.getByLabel(/^Temperature/).fill(value);
    await page.getByText('Settings').click();
  }

  test('answers, remembers, and starts anew', async () => {
    const { url } = await listen(model);
    const page = await openPage(url);
    await page.getByRole('heading', { name: 'storyteller-q8_0' }).waitFor();
    await setTemperature(page, '0');
    await message(page).fill('What is 3 plus 4?');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('tokens').last().waitFor({ state: 'visible' });
    await until(async () => (await answerText(page, 0).textContent()) === '3 plus 4 is 7.', 'the answer');
    await message(page).fill('What is 5 plus 2?');
    await message(page).press('Enter');
    await answers(page).nth(1).locator('small', { hasText: 'tokens' }).waitFor();
    const { text } = await model.generateChat([
      { role: 'user', content: 'What is 3 plus 4?' },
      { role: 'assistant', content: '3 plus 4 is 7.' },
      { role: 'user', content: 'What is 5 plus 2?' },
    ]).result;
    expect(await answerText(page, 1).textContent()).toBe(text);
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

  test('what a model or a user writes is text, never HTML', async () => {
    const { url } = await listen(scriptedModel({ length: 1, token: '<img src=x onerror=alert(1)><b>bold</b>' }));
    const page = await openPage(url);
    await message(page).fill('<script>alert(2)</script>');
    await message(page).press('Enter');
    await answerText(page, 0).filter({ hasText: '<img src=x onerror=alert(1)><b>bold</b>' }).waitFor();
    expect(await page.locator('main img, main b, main script').count()).toBe(0);
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
    for (const selector of ['body', 'li.user p', 'li.assistant p', 'li.assistant h2', 'label', '#send'])
      expect(await page.locator(selector).first().evaluate(contrast), selector).toBeGreaterThan(4.5);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${colorScheme}.png` });
  });
});

// Of the page; the tests' own program knows no DOM.
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
