/** What the user set; kept in this browser, the API key only as long as its tab. */
import { element } from './dom.js';

const KEPT = 'realizar-settings';
const [system, temperature] = [element('system'), element('temperature')];
const [limit, key] = [element('maxtokens'), element('key')];

export function settings() {
  /** @param {HTMLInputElement} input */
  const number = ({ valueAsNumber }) => (Number.isNaN(valueAsNumber) ? undefined : valueAsNumber);
  return { system: system.value.trim(), temperature: number(temperature), limit: number(limit), key: key.value };
}

try {
  key.value = sessionStorage.getItem('realizar-key') ?? '';
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? '{}');
  for (const input of [system, temperature, limit])
    if (typeof kept[input.id] === 'string') input.value = kept[input.id];
} catch {} // there is no storage, or something else in it: what the page says

element('settings').addEventListener('change', () => {
  try {
    sessionStorage.setItem('realizar-key', key.value);
    const values = [system, temperature, limit].map(({ id, value }) => [id, value]);
    localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(values)));
  } catch {} // they hold as long as the page
});
